// An answer as a table, as a drawing, as the text it came as.

import { el, fill } from "./dom.js";
import { drawing } from "./graph.js";
import { parse } from "./triples.js";
import { clipped, written } from "./terms.js";

const STEP = 200;
const LONG = 300;

/** The view of an answer. `describe` is called with an IRI that was chosen. */
export function results(text, type, seconds, describe) {
  const graph = type.startsWith("application/n-triples");
  const answer = graph ? { head: { vars: ["subject", "predicate", "object"] }, results: { bindings: parse(text) } } : JSON.parse(text);
  const took = `${seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`}`;
  if (answer.boolean !== undefined) {
    return el("p", { class: "verdict" }, answer.boolean ? "Yes" : "No", el("span", { class: "quiet" }, ` · ${took}`));
  }
  const variables = answer.head.vars;
  const rows = answer.results.bindings;
  const views = {
    Table: () => table(variables, rows, describe),
    Graph: () => drawing(graph ? rows : asTriples(variables, rows), describe),
    Text: () => el("pre", { tabindex: 0, "aria-label": "The answer as text" }, graph ? text : JSON.stringify(answer, null, 2).slice(0, 500_000)),
  };
  const shown = el("div", { class: "view" });
  const buttons = Object.keys(views).map((name) => el("button", { type: "button", "aria-pressed": "false", onclick: () => choose(name) }, name));
  const save = el("button", { type: "button", onclick: () => download(graph ? text : csv(variables, rows), graph ? "answer.nt" : "answer.csv") }, graph ? "Save N-Triples" : "Save CSV");

  function choose(name) {
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === name)));
    fill(shown, views[name]());
  }

  choose("Table");
  const count = `${rows.length.toLocaleString("en")} ${graph ? "triples" : rows.length === 1 ? "row" : "rows"} · ${took}`;
  return [el("div", { class: "row bar" }, el("div", { class: "group", role: "group", "aria-label": "View" }, buttons), el("span", { class: "quiet grow" }, count), save), shown];
}

function cell(term, describe) {
  if (term === undefined) return el("span", { class: "quiet" }, "–");
  const text = written(term);
  const most = clipped(text, LONG);
  if (term.type === "uri") return el("button", { type: "button", class: "link iri", title: term.value.slice(0, 2000), onclick: () => describe(term.value) }, most);
  return el("span", { class: term.type === "literal" ? "literal" : "quiet", title: most === text ? null : text.slice(0, 2000) }, most);
}

function table(variables, rows, describe) {
  const body = el("tbody");
  let most = 0;
  const more = el("button", { type: "button", onclick: () => add() }, "Show more");
  const numeric = new Set(variables.filter((name) => rows.length && rows.every((row) => /#(integer|decimal|double)$/.test(row[name]?.datatype ?? ""))));

  function add() {
    body.append(...rows.slice(most, most + STEP).map((row) => el("tr", null, variables.map((name) => el("td", { class: numeric.has(name) ? "numeric" : null }, cell(row[name], describe))))));
    most += STEP;
    more.hidden = most >= rows.length;
  }

  add();
  const head = el("thead", null, el("tr", null, variables.map((name) => el("th", { scope: "col", class: numeric.has(name) ? "numeric" : null }, name))));
  return [el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Rows" }, el("table", { class: "results" }, head, body)), more];
}

/** Rows as statements: three columns of names are triples; else the first thing in a row has the others. */
function asTriples(variables, rows) {
  const named = (row, name) => row[name] !== undefined && row[name].type !== "literal";
  const [first, second, third] = variables;
  const triples = variables.length === 3 && /^(p|pred|predicate|property)$/i.test(second);
  return rows.flatMap((row) => {
    if (triples) return named(row, first) && row[second] && row[third] ? [{ subject: row[first], predicate: row[second], object: row[third] }] : [];
    const subject = variables.find((name) => named(row, name));
    return variables.filter((name) => name !== subject && subject && row[name]).map((name) => ({ subject: row[subject], predicate: { type: "name", value: name }, object: row[name] }));
  });
}

function csv(variables, rows) {
  // A field that a spreadsheet would take for a formula is told to be a text.
  const quoted = (value) => `"${(/^[=+@\t\r-]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value).replaceAll('"', '""')}"`;
  return [variables.join(","), ...rows.map((row) => variables.map((name) => (row[name] ? quoted(row[name].value) : "")).join(","))].join("\r\n");
}

function download(text, name) {
  const link = el("a", { href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
