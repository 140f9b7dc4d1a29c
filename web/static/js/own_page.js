// The one place where text becomes markup: pages of our own server, which has escaped what people wrote.

/** Fetch one of our own pages and return it as a document; null when the server refuses it. */
export async function ownPage(address, options = {}) {
  const url = new URL(address, window.location.href);
  if (url.origin !== window.location.origin) throw new TypeError("not one of our own pages");
  const answer = await fetch(url, { headers: { Accept: "text/html" }, cache: "no-store", redirect: "manual", ...options });
  return answer.ok ? pageOf(answer) : null;
}

/** Return what one of our own pages answered as a document. */
export async function pageOf(answer) {
  if (new URL(answer.url).origin !== window.location.origin) throw new TypeError("not one of our own pages");
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}
