// The texts of the scripts. The source language is written in the code; a page in another language carries
// its catalogue as JSON.
import { pageData } from "./dom.js";

const catalogue = pageData("texts");

/** Return `text` in the page's language; `%(name)s` is filled from `values`. */
export function t(text, values = {}) {
  const translated = catalogue[text] || text;
  return translated.replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
