// Elements, made without markup: whatever a graph holds becomes text, never HTML.

const SVG = "http://www.w3.org/2000/svg";

function made(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** An HTML element; attributes that begin with "on" are listeners. */
export function el(name, attributes, ...children) {
  return made(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes, ...children) {
  return made(document.createElementNS(SVG, name), attributes, children);
}

/** Put these children in the place of those that are there. */
export function fill(node, ...children) {
  node.textContent = "";
  append(node, children);
  return node;
}

/** Change a text only where it is different, so that a page at rest stays at rest. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A coloured word: good, warn, bad or quiet. */
export function pill(text, tone = "quiet") {
  return el("span", { class: `pill ${tone}` }, text);
}

export function byId(id) {
  return document.getElementById(id);
}

/** What went wrong, with what to do about it and the findings of a refused change. */
export function trouble(error) {
  const box = el("div", { class: "trouble", role: "alert" }, el("strong", null, error.message || String(error)));
  if (error.remedy) box.append(el("p", null, error.remedy));
  for (const finding of error.findings ?? []) {
    box.append(el("p", { class: "mono" }, [finding.message, finding.remedy].filter(Boolean).join(" — ")));
  }
  return box;
}

/** Tell it at the foot of the page for some seconds, and to screen readers. */
export function tell(text, tone = "good") {
  const line = el("p", { class: `told ${tone}` }, text);
  byId("told").append(line);
  setTimeout(() => line.remove(), 6000);
}
