// What a SPARQL text may go on with: terms of the ontology, names of the configuration, variables, words of SPARQL.

import { select } from "./api.js";
import { CodeMirror } from "./editor.js";
import { curie, prefixes } from "./terms.js";

const MOST = 60;
const TERMS = `PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX owl: <http://www.w3.org/2002/07/owl#>
SELECT ?term ?kind (SAMPLE(?text) AS ?about) WHERE {
  GRAPH <urn:agw:graph:ontology> {
    ?term a ?type . FILTER(isIRI(?term))
    OPTIONAL { ?term rdfs:comment ?text }
    BIND(IF(?type IN (owl:Class, rdfs:Class), "class",
         IF(?type IN (rdf:Property, owl:DatatypeProperty, owl:ObjectProperty), "property", "thing")) AS ?kind)
  }
} GROUP BY ?term ?kind`;
const NAMES = `SELECT DISTINCT ?term WHERE { GRAPH <urn:agw:graph:config> { ?term a ?type } FILTER(isIRI(?term)) } LIMIT 3000`;
const WORDS =
  "ASK BASE BIND BY CONSTRUCT COUNT DELETE DESC DESCRIBE DISTINCT EXISTS FILTER FROM GRAPH GROUP HAVING INSERT LIMIT MINUS NAMED NOT OFFSET OPTIONAL ORDER PREFIX REGEX SELECT UNION VALUES WHERE WITH";
const OTHERS = "rdf:type rdfs:label rdfs:comment rdfs:subClassOf rdfs:domain rdfs:range prov:wasGeneratedBy prov:generatedAtTime prov:wasRevisionOf";
const GRAPHS = ["config", "inferred", "ontology", "shapes", "runtime", "history"].map((name) => `<urn:agw:graph:${name}>`);

let fetched = null;

/** Everything that has a name, once. */
export function vocabulary() {
  fetched ??= Promise.all([prefixes(), select(TERMS), select(NAMES)])
    .then(([known, terms, names]) => {
      const entries = new Map();
      const add = (text, kind, about = "") => entries.has(text) || entries.set(text, { text, kind, about });
      for (const { term, kind, about } of terms.results.bindings) add(curie(term.value), kind.value, about?.value);
      for (const { term } of names.results.bindings) add(curie(term.value), "configured");
      for (const text of OTHERS.split(" ")) add(text, "property");
      for (const text of GRAPHS) add(text, "graph");
      return { entries: [...entries.values()], prefixes: known };
    })
    .catch((error) => {
      fetched = null;
      throw error;
    });
  return fetched;
}

/** The word that ends at the cursor, and what stands before it on its line. */
function around(editor) {
  const { line, ch } = editor.getCursor();
  const before = editor.getLine(line).slice(0, ch);
  const word = /(?:[?$][\w]*|<[^<>\s]*|[\p{L}\p{N}_.-]*:?[\p{L}\p{N}_.-]*)$/u.exec(before)[0];
  return { line, start: ch - word.length, end: ch, word, before: before.slice(0, before.length - word.length).trimEnd() };
}

function variables(editor, word) {
  const found = new Set(editor.getValue().match(/[?$]\w+/g) ?? []);
  found.delete(word);
  return [...found].map((text) => ({ text, kind: "variable", about: "" }));
}

/** Those that fit `word`, best first: after `a`, classes; elsewhere, properties. */
export function fitting(entries, word, before) {
  const wanted = word.toLowerCase();
  const first = /(^|[\s;{.,])(a|rdf:type)$/.test(before) ? "class" : "property";
  const scored = [];
  for (const entry of entries) {
    const text = entry.text.toLowerCase();
    const name = text.slice(text.indexOf(":") + 1);
    const at = text.startsWith(wanted) ? 0 : name.startsWith(wanted) ? 1 : text.includes(wanted.slice(wanted.indexOf(":") + 1)) ? 2 : -1;
    if (at >= 0) scored.push([at + (entry.kind === first ? 0 : 0.5), entry]);
  }
  scored.sort(([one, a], [other, b]) => one - other || a.text.localeCompare(b.text));
  return scored.slice(0, MOST).map(([, entry]) => entry);
}

function shown(node, _all, entry) {
  const name = document.createElement("span");
  name.textContent = entry.text;
  const about = document.createElement("span");
  about.className = "about";
  about.textContent = [entry.kind, entry.about].filter(Boolean).join(" · ").slice(0, 140);
  node.append(name, about);
}

/** Write the PREFIX line that a chosen name needs, if it is not there. */
function declare(editor, text, known) {
  const prefix = /^([\w.-]*):/.exec(text)?.[1];
  if (prefix === undefined || !known.has(prefix)) return;
  const declared = new RegExp(`PREFIX\\s+${prefix.replace(/[.-]/g, "\\$&")}:`, "i").test(editor.getValue());
  if (!declared) editor.replaceRange(`PREFIX ${prefix}: <${known.get(prefix)}>\n`, { line: 0, ch: 0 });
}

/** For CodeMirror's show-hint. */
export async function hints(editor) {
  const { line, start, end, word, before } = around(editor);
  let entries;
  let known = new Map();
  if (/^[?$]/.test(word)) entries = variables(editor, word);
  else {
    try {
      ({ entries, prefixes: known } = await vocabulary());
    } catch {
      entries = [];
    }
    if (!word.includes(":")) entries = [...entries, ...WORDS.split(" ").map((text) => ({ text, kind: "word", about: "" }))];
  }
  const list = fitting(entries, word, before).map((entry) => ({ ...entry, render: shown }));
  const found = { list, from: { line, ch: start }, to: { line, ch: end } };
  CodeMirror.on(found, "pick", (entry) => declare(editor, entry.text, known));
  return found;
}

/** Whether typing has come to where a list helps. */
export function helps(editor) {
  const { word } = around(editor);
  return /^[?$]\w|^[\w.-]*:|^\w{3}/.test(word);
}
