// N-Triples, read into the terms of SPARQL JSON.

const LINE = /^\s*(<[^>]*>|_:\S+)\s+(<[^>]*>)\s+(<[^>]*>|_:\S+|"(?:[^"\\]|\\.)*"(?:@[\w-]+|\^\^<[^>]*>)?)\s*\.\s*$/;
const ESCAPES = { t: "\t", b: "\b", n: "\n", r: "\r", f: "\f", '"': '"', "'": "'", "\\": "\\" };

function plain(text) {
  return text.replace(/\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/gs, (_, short, long, one) => (one ? (ESCAPES[one] ?? one) : String.fromCodePoint(parseInt(short ?? long, 16))));
}

function term(text) {
  if (text.startsWith("<")) return { type: "uri", value: plain(text.slice(1, -1)) };
  if (text.startsWith("_:")) return { type: "bnode", value: text.slice(2) };
  const end = text.lastIndexOf('"');
  const found = { type: "literal", value: plain(text.slice(1, end)) };
  const rest = text.slice(end + 1);
  if (rest.startsWith("@")) found["xml:lang"] = rest.slice(1);
  else if (rest.startsWith("^^")) found.datatype = plain(rest.slice(3, -1));
  return found;
}

/** One `{subject, predicate, object}` a line; lines that are no triples (quoted ones among them) are left out. */
export function parse(text) {
  const found = [];
  for (const line of text.split("\n")) {
    const parts = LINE.exec(line);
    if (parts) found.push({ subject: term(parts[1]), predicate: term(parts[2]), object: term(parts[3]) });
  }
  return found;
}
