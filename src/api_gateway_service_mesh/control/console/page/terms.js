// Names of things, short: by the prefixes that the gateway's configuration declares.

import { ask } from "./api.js";

const known = new Map();
let fetched = null;

/** Learn the prefixes: any answer in Turtle declares them all. */
export function prefixes() {
  fetched ??= (async () => {
    try {
      const answer = await ask("/sparql", {
        method: "POST",
        type: "application/sparql-query",
        accept: "text/turtle",
        body: "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o } LIMIT 1",
      });
      for (const [, prefix, iri] of (await answer.text()).matchAll(/^@prefix\s+([\w.-]*):\s+<([^>]*)>/gm)) {
        known.set(prefix, iri);
      }
    } catch (error) {
      fetched = null;
      throw error;
    }
    return known;
  })();
  return fetched;
}

/** `prefix:name`, or the IRI in angle brackets. */
export function curie(iri) {
  let best = null;
  for (const [prefix, start] of known) {
    if (iri.startsWith(start) && (best === null || start.length > best[1].length)) best = [prefix, start];
  }
  const rest = best === null ? "" : iri.slice(best[1].length);
  return best !== null && /^[\p{L}\p{N}_]([\p{L}\p{N}_.-]*[\p{L}\p{N}_-])?$/u.test(rest) ? `${best[0]}:${rest}` : `<${iri}>`;
}

/** The last part of an IRI, for headings. */
export function local(iri) {
  const found = /[^/#:]+$/.exec(iri ?? "");
  return found ? found[0] : (iri ?? "");
}

/** At most so many characters, the middle left out. */
export function clipped(text, most) {
  if (text.length <= most) return text;
  const tail = Math.floor((most - 1) / 3);
  return `${text.slice(0, most - 1 - tail)}…${text.slice(text.length - tail)}`;
}

let pen = null;

/** As much of a text as fits into so many pixels. */
export function fitted(text, width, font) {
  pen ??= document.createElement("canvas").getContext("2d");
  pen.font = `${font} system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif`;
  const whole = text.slice(0, 400);
  for (let most = whole.length; most > 1; most -= Math.max(1, Math.floor(most / 12))) {
    const shown = most < text.length ? clipped(text, most) : text;
    if (pen.measureText(shown).width <= width) return shown;
  }
  return "…";
}

/** An RDF term of SPARQL JSON as it is written. */
export function written(term) {
  if (term.type === "uri") return curie(term.value);
  if (term.type === "bnode") return `_:${term.value}`;
  if (term["xml:lang"]) return `"${term.value}"@${term["xml:lang"]}`;
  const plain = /#(integer|decimal|double|boolean|string)$/.test(term.datatype ?? "#string");
  return plain ? term.value : `"${term.value}"^^${curie(term.datatype)}`;
}
