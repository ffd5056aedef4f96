// Where the console is: the fragment of the address, so that the server needs to know one page only.
import { useEffect, useState } from "preact/hooks";

export interface Route {
  page: string;
  argument: string | null;
}

function read(): Route {
  const [page = "", argument] = location.hash.replace(/^#\/?/, "").split("/");
  return { page: page || "inbox", argument: argument === undefined || argument === "" ? null : decodeURIComponent(argument) };
}

export const href = (page: string, argument?: string) =>
  `#/${page}${argument === undefined ? "" : `/${encodeURIComponent(argument)}`}`;

export function go(page: string, argument?: string) {
  location.hash = href(page, argument);
}

export function useRoute(): Route {
  const [route, setRoute] = useState(read);
  useEffect(() => {
    const changed = () => setRoute(read());
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  }, []);
  return route;
}
