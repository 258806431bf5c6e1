// The page: which part is seen, the theme, the keys.

import { forgetToken, hasToken } from "./api.js";
import { byId, el, fill, say } from "./dom.js";
import { doctorView } from "./doctor.js";
import { explainView } from "./explain.js";
import { live } from "./live.js";
import { mapView } from "./map.js";
import { queryView } from "./query.js";
import { revisionsView } from "./revisions.js";
import { routesView } from "./routes.js";
import { prefixes } from "./terms.js";

const VIEWS = { routes: routesView, map: mapView, query: queryView, explain: explainView, revisions: revisionsView, doctor: doctorView };
const NAMES = Object.keys(VIEWS);
const THEMES = ["auto", "light", "dark"];
const KEYS = [
  ["1 – 6", "Routes, Map, Query, Explain, Revisions, Doctor"],
  ["/", "Filter, or the first field of the part"],
  ["t", "Theme: as the system, light, dark"],
  ["?", "This list"],
  ["Ctrl Enter", "Run the query"],
  ["Ctrl Space", "Complete a name"],
  ["Arrow keys", "From box to box in the map"],
  ["Esc", "Close a dialog, leave the map's choice"],
];
const built = new Map();

/** Show a part; `rest` is what stands behind its name in the address: `#explain?url=…`. */
function show() {
  const [name, rest] = location.hash.slice(1).split("?");
  const wanted = NAMES.includes(name) ? name : "routes";
  for (const other of NAMES) byId(other).hidden = other !== wanted;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === wanted) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!built.has(wanted)) built.set(wanted, VIEWS[wanted](byId(wanted)));
  document.title = `${byId(wanted).getAttribute("aria-label")} · agw console`;
  window.scrollTo(0, 0);
  built.get(wanted).shown?.(new URLSearchParams(rest));
}

function themed(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const button = byId("theme");
  say(button, { auto: "Auto", light: "Light", dark: "Dark" }[theme]);
  button.setAttribute("aria-label", `Theme: ${button.textContent}`);
  button.title = "Theme (t)";
  localStorage.setItem("agw.theme", theme);
}

function nextTheme() {
  themed(THEMES[(THEMES.indexOf(localStorage.getItem("agw.theme") ?? "auto") + 1) % THEMES.length]);
}

function keysOn() {
  return localStorage.getItem("agw.keys") !== "off";
}

function pressed(event) {
  if (!keysOn() || event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  if (event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
  const number = Number(event.key);
  if (number >= 1 && number <= NAMES.length) location.hash = NAMES[number - 1];
  else if (event.key === "/") document.querySelector("main section:not([hidden]) :is(input, textarea)")?.focus();
  else if (event.key === "t") nextTheme();
  else if (event.key === "?") byId("help-dialog").showModal();
  else return;
  event.preventDefault();
}

/** Whether the token was asked for and not given. */
function locked() {
  return live.failure?.status === 401;
}

function status() {
  const lost = live.failure !== null;
  byId("status").dataset.tone = lost ? "bad" : "good";
  const { now, revision } = live;
  const serving = now === null || lost ? "" : `${now.serving} of ${now.workers} workers ·`;
  const text = lost ? live.failure.message : `revision ${revision}`;
  say(byId("status-workers"), serving);
  say(byId("status-text"), text);
  byId("status").title = text;
  byId("forget").hidden = !hasToken() && !locked();
  say(byId("forget"), locked() ? "Enter token" : "Forget token");
}

themed(localStorage.getItem("agw.theme") ?? "auto");
byId("theme").addEventListener("click", nextTheme);
byId("help").addEventListener("click", () => byId("help-dialog").showModal());
byId("forget").addEventListener("click", () => {
  if (locked()) live.refresh();
  else {
    forgetToken();
    location.reload();
  }
});
// The first button of a form is what Enter means, so this one submits nothing.
for (const button of document.querySelectorAll("dialog .cancel")) {
  button.addEventListener("click", () => button.closest("dialog").close("cancel"));
}
byId("keys-on").checked = keysOn();
byId("keys-on").addEventListener("change", (event) => {
  localStorage.setItem("agw.keys", event.target.checked ? "on" : "off");
});
fill(byId("help-list"), KEYS.map(([keys, what]) => [el("dt", null, el("kbd", null, keys)), el("dd", null, what)]));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
document.addEventListener("keydown", pressed);
window.addEventListener("hashchange", show);
live.addEventListener("tick", status);
prefixes().catch(() => {});
live.start();
show();
