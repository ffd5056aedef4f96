// A certified OpenID Connect provider for the tests of signing in: node provider.mjs PACKAGES REDIRECT_URI
//
// It prints its issuer as one line of JSON, answers until its standard input ends, and does what `POST /control` says:
// `account` (who signs in, with which claims; null: nobody), `fault` (what is wrong with the next ID tokens) and `userinfo`
// (`[status, body]` that this endpoint answers instead; null: its own answer). Tokens are the provider's own, but for what the fault changes: that one is signed again with the provider's key, or not at all.
import { createServer } from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [packages, redirectUri] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(path.join(packages, "node_modules", name)).href);
const { default: Provider } = await load("oidc-provider/lib/index.js");
const jose = await load("jose/dist/webapi/index.js");

const control = { account: null, fault: null, userinfo: null, tokenRequests: 0 };
const { privateKey } = await jose.generateKeyPair("RS256", { extractable: true });
const { privateKey: otherKey } = await jose.generateKeyPair("RS256", { extractable: true });
const jwk = { ...(await jose.exportJWK(privateKey)), kid: "key-1", use: "sig", alg: "RS256" };

let handle = (_, response) => response.writeHead(503).end();
const server = createServer((request, response) => handle(request, response));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "walkaround",
      client_secret: "a secret: 100%+&",
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: "client_secret_basic",
    },
  ],
  jwks: { keys: [jwk] },
  cookies: { keys: ["only for tests"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "roles"] },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  async findAccount(_, sub) {
    if (control.account?.sub !== sub) return undefined;
    return { accountId: sub, claims: () => control.account };
  },
  // Nobody is asked for consent: the client is this console.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope("openid email profile");
    await grant.save();
    return grant;
  },
});

async function faulty(token) {
  const claims = jose.decodeJwt(token);
  const now = Math.floor(Date.now() / 1000);
  const sign = (changed, key = privateKey, header = {}) =>
    new jose.SignJWT({ ...claims, ...changed }).setProtectedHeader({ alg: "RS256", kid: "key-1", ...header }).sign(key);
  switch (control.fault) {
    case "audience":
      return sign({ aud: "another client" });
    case "several audiences":
      return sign({ aud: ["walkaround", "another client"], azp: "another client" });
    case "issuer":
      return sign({ iss: "http://127.0.0.1:1" });
    case "expired":
      return sign({ iat: now - 7200, exp: now - 3600 });
    case "nonce":
      return sign({ nonce: "of another attempt" });
    case "no nonce":
      return sign({ nonce: undefined });
    case "signature":
      return sign({}, otherKey);
    case "unknown key":
      return sign({}, otherKey, { kid: "key-2" });
    case "unsigned":
      return new jose.UnsecuredJWT(claims).encode();
    case "shared secret":
      return new jose.SignJWT(claims)
        .setProtectedHeader({ alg: "HS256", kid: "key-1" })
        .sign(new TextEncoder().encode("a secret: 100%+&".padEnd(32, " ")));
    default:
      return token;
  }
}

provider.use(async (ctx, next) => {
  await next();
  if (ctx.path !== "/token") return;
  control.tokenRequests += 1;
  if (ctx.body?.id_token) ctx.body = { ...ctx.body, id_token: await faulty(ctx.body.id_token) };
});

const callback = provider.callback();
handle = async (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  if (pathname === "/control") {
    let text = "";
    for await (const piece of request) text += piece;
    Object.assign(control, JSON.parse(text || "{}"));
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(control));
  } else if (pathname === "/me" && control.userinfo) {
    const [status, body] = control.userinfo;
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  } else if (pathname.startsWith("/interaction/")) {
    const result = control.account
      ? { login: { accountId: control.account.sub } }
      : { error: "access_denied", error_description: "nobody signs in" };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  } else {
    await callback(request, response);
  }
};

process.stdin.on("end", () => process.exit(0)).resume();
console.log(JSON.stringify({ issuer }));
// Whoever started this reads the first line only: what the provider remarks goes elsewhere.
console.info = console.error;
