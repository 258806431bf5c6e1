// Triples as a drawing: a card for each thing with its own values, a line for each connection.

import { el, svg } from "./dom.js";
import { course, laid } from "./layers.js";
import { curie, fitted, written } from "./terms.js";

const MOST_CARDS = 150;
const MOST_VALUES = 8;
const WIDTH = 240;
const TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";

function key(term) {
  return `${term.type} ${term.value}`;
}

function word(predicate) {
  return predicate.type === "name" ? predicate.value : predicate.value === TYPE ? "a" : curie(predicate.value);
}

/** Cards and lines of some triples. Classes are values, not cards: everything would hang on them. */
function cards(triples) {
  const found = new Map();
  const edges = [];
  let left = 0;
  const card = (term) => {
    if (!found.has(key(term))) {
      if (found.size >= MOST_CARDS) return null;
      found.set(key(term), { term, values: [], into: 0 });
    }
    return found.get(key(term));
  };
  for (const { subject, predicate, object } of triples) {
    const from = card(subject);
    const value = object.type === "literal" || predicate.value === TYPE;
    const to = value || from === null ? null : card(object);
    if (from === null || (!value && to === null)) left += 1;
    else if (value) from.values.push(`${word(predicate)} ${written(object)}`);
    else edges.push({ from, to, text: word(predicate) }), (to.into += from === to ? 0 : 1);
  }
  return { nodes: [...found.values()], edges, left };
}

/** How far each card stands from those that nothing points to. */
function layered(nodes, edges) {
  const out = new Map();
  for (const { from, to } of edges) out.set(from, [...(out.get(from) ?? []), to]);
  const starts = [...nodes].sort((one, other) => one.into - other.into);
  for (const start of starts) {
    if (start.layer !== undefined || (start.into > 0 && nodes.some((node) => node.into === 0 && node.layer === undefined))) continue;
    start.layer = 0;
    for (let row = [start]; row.length; ) {
      const next = row.flatMap((node) => (out.get(node) ?? []).filter((to) => to.layer === undefined && (to.layer = node.layer + 1)));
      row = next;
    }
  }
  for (const node of nodes) node.layer ??= 0;
}

/** The drawing. `describe` is called with the IRI of a card that was chosen. */
export function drawing(triples, describe) {
  const { nodes, edges, left } = cards(triples);
  if (!nodes.length) return el("p", { class: "quiet" }, "Nothing here connects things. Ask for IRIs, or CONSTRUCT triples.");
  for (const node of nodes) {
    node.more = Math.max(0, node.values.length - MOST_VALUES);
    node.width = WIDTH;
    node.height = 28 + 16 * (Math.min(node.values.length, MOST_VALUES) + (node.more ? 1 : 0)) + (node.values.length ? 4 : 0);
  }
  layered(nodes, edges);
  const size = laid(nodes, edges, { between: 150, margin: 12 });
  const width = size.width + (edges.some(({ from, to }) => to.x <= from.x) ? 60 : 0);
  const root = svg("svg", { viewBox: `0 0 ${width} ${size.height}`, width, height: size.height, role: "group", "aria-label": `${nodes.length} things, ${edges.length} connections` });
  const lines = new Map();
  for (const edge of edges) {
    const between = `${nodes.indexOf(edge.from)} ${nodes.indexOf(edge.to)}`;
    if (lines.has(between)) lines.get(between).text += `, ${edge.text}`;
    else lines.set(between, edge);
  }
  for (const edge of lines.values()) root.append(svg("path", { class: "edge", d: course(edge), "stroke-width": 1.3 }, svg("title", null, edge.text)));
  for (const node of nodes) root.append(card(node, describe));
  const labels = new Map();
  for (const edge of lines.values()) if (edge.to.x > edge.from.x) labels.set(`${nodes.indexOf(edge.to)} ${edge.text}`, edge);
  for (const edge of labels.values()) {
    root.append(svg("text", { class: "label", x: edge.to.x - 8, y: edge.to.y + edge.to.height / 2 - 5 + lift(edge, labels), "text-anchor": "end" }, fitted(edge.text, 125, "11px"), svg("title", null, edge.text)));
  }
  const note = left ? el("p", { class: "quiet" }, `The first ${MOST_CARDS} things; ${left} triples more are not drawn.`) : null;
  return [el("div", { class: "canvas", tabindex: 0, role: "region", "aria-label": "Drawing" }, root), note];
}

/** The names of several lines into one card stand one above the other; lines of one name share it. */
function lift(edge, labels) {
  const all = [...labels.values()].filter((item) => item.to === edge.to);
  return -(all.length - 1 - all.indexOf(edge)) * 12;
}

function card(node, describe) {
  const name = node.term.type === "uri" ? curie(node.term.value) : node.term.type === "bnode" ? `_:${node.term.value}` : node.term.value;
  const open = () => node.term.type === "uri" && describe(node.term.value);
  const lines = node.values.slice(0, MOST_VALUES).map((text, at) => svg("text", { class: "second", x: 12, y: 38 + at * 16 }, fitted(text, WIDTH - 24, "11px"), svg("title", null, text.slice(0, 2000))));
  if (node.more) lines.push(svg("text", { class: "second", x: 12, y: 38 + MOST_VALUES * 16 }, `and ${node.more} more`));
  const box = svg(
    "g",
    { class: "box", transform: `translate(${node.x} ${node.y})`, tabindex: 0, role: "button", "aria-label": [name, ...node.values].join(", ").slice(0, 500), onclick: open },
    svg("title", null, node.term.value.slice(0, 2000)),
    svg("rect", { class: "body", width: node.width, height: node.height, rx: 5 }),
    svg("text", { class: "first", x: 12, y: 19 }, fitted(name, WIDTH - 24, "600 12px")),
    lines,
  );
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    open();
  });
  return box;
}
