/* A stand-in for the ONNX Runtime library: it hands out the real one's functions, but for the two that run a network.
 *
 * It is steered by files beside itself:
 *   real   path of the real library
 *   who    words, one a line: only a process with one of them on its command line is ever sick; empty for all
 *   once   if it is there, one process is sick and no other: the first that could be
 *   fail   runs fail from now on
 *   hang   runs never return from now on
 * The table of functions only ever grows: onnxruntime_c_api.h of ONNX Runtime, `struct OrtApi`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void *(*function)(void);
typedef struct {
  const function *(*get_api)(uint32_t version);
  const char *(*get_version)(void);
} api_base;
typedef void *(*create_status)(int code, const char *message);
typedef void *(*run_session)(void *, const void *, const char *const *, const void *const *, size_t,
                             const char *const *, size_t, void **);
typedef void *(*run_binding)(void *, const void *, const void *);

/* Places in the table, and the number of its functions at version 24, which is the one that `ort` asks for. */
enum { CREATE_STATUS = 0, RUN = 9, RUN_WITH_BINDING = 133, FUNCTIONS = 415, FAIL = 1 };

static char folder[4096];
static const function *real;
static function table[FUNCTIONS];
static api_base base;
static const api_base *real_base;

static int there(const char *name, char *text, size_t size) {
  char path[4352];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t got = text ? read(file, text, size - 1) : 0;
  close(file);
  if (text) text[got > 0 ? got : 0] = 0;
  return 1;
}

/* Whether this process is one that may be sick. */
static int is_meant(void) {
  char words[1024], arguments[8192];
  if (!there("who", words, sizeof words) || !words[0]) return 1;
  int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t got = read(file, arguments, sizeof arguments - 1);
  close(file);
  for (ssize_t i = 0; i < got; i++)
    if (!arguments[i]) arguments[i] = ' ';
  arguments[got > 0 ? got : 0] = 0;
  char *rest = NULL;
  for (char *word = strtok_r(words, "\n", &rest); word; word = strtok_r(NULL, "\n", &rest))
    if (strstr(arguments, word)) return 1;
  return 0;
}

/* Whether this process is the one that is sick: with `once`, the first that asks. */
static int is_chosen(void) {
  static volatile int chosen = 0; /* 0 not known, 1 yes, 2 no */
  if (!there("once", NULL, 0)) return 1;
  if (!chosen) {
    char path[4352];
    snprintf(path, sizeof path, "%s/chosen", folder);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0) {
      dprintf(file, "%d", (int)getpid());
      close(file);
      chosen = 1;
    } else {
      char pid[32];
      chosen = there("chosen", pid, sizeof pid) && atoi(pid) == (int)getpid() ? 1 : 2;
    }
  }
  return chosen == 1;
}

/* The error of a run that is to fail; does not return where it is to hang. */
static void *trouble(void) {
  int fail = there("fail", NULL, 0), hang = there("hang", NULL, 0);
  if (!(fail || hang) || !is_meant() || !is_chosen()) return NULL;
  while (hang) pause();
  return ((create_status)real[CREATE_STATUS])(FAIL, "CUDA failure 719: unspecified launch failure (planted)");
}

static void *run(void *session, const void *options, const char *const *input_names, const void *const *inputs,
                 size_t inputs_len, const char *const *output_names, size_t outputs_len, void **outputs) {
  void *status = trouble();
  return status ? status
                : ((run_session)real[RUN])(session, options, input_names, inputs, inputs_len, output_names,
                                           outputs_len, outputs);
}

static void *run_with_binding(void *session, const void *options, const void *binding) {
  void *status = trouble();
  return status ? status : ((run_binding)real[RUN_WITH_BINDING])(session, options, binding);
}

static const function *get_api(uint32_t version) {
  real = real_base->get_api(version);
  if (!real) return NULL;
  memcpy(table, real, sizeof table);
  table[RUN] = (function)run;
  table[RUN_WITH_BINDING] = (function)run_with_binding;
  return table;
}

static const char *get_version(void) { return real_base->get_version(); }

const api_base *OrtGetApiBase(void) {
  if (real_base) return &base;
  Dl_info self;
  char path[4096];
  if (!dladdr((void *)&OrtGetApiBase, &self)) return NULL;
  snprintf(folder, sizeof folder, "%s", self.dli_fname);
  char *end = strrchr(folder, '/');
  if (!end) return NULL;
  *end = 0;
  if (!there("real", path, sizeof path)) return NULL;
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return NULL;
  }
  const api_base *(*get_base)(void) = (const api_base *(*)(void))dlsym(library, "OrtGetApiBase");
  if (!get_base) return NULL;
  real_base = get_base();
  base.get_api = get_api;
  base.get_version = get_version;
  return &base;
}
