// The routes with what they do now: rates, latencies, refusals, breakers.

import { byId, el, fill, pill, say, svg } from "./dom.js";
import { impactButton } from "./impact.js";
import { live } from "./live.js";
import { curie, local } from "./terms.js";

const STEP = 200;
const COLUMNS = [
  ["route", "Route", (row) => row.route.index],
  ["match", "Request", null],
  ["to", "To", null],
  ["rate", "Requests/s", (row) => -row.seen.rate],
  ["errors", "5xx", (row) => -row.seen.errorShare],
  ["median", "p50", (row) => -(row.seen.median ?? 0)],
  ["slow", "p95", (row) => -(row.seen.slow ?? 0)],
  ["limit", "Limiter", (row) => -row.refused.rate],
  ["breaker", "Breaker", null],
];
const TONES = { CLOSED: "good", HALF_OPEN: "warn", OPEN: "bad" };

export function perSecond(value) {
  if (value === 0) return "0";
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}

export function milliseconds(seconds) {
  if (seconds === null) return "–";
  const value = seconds * 1000;
  return value < 10 ? `${value.toFixed(1)} ms` : value < 1000 ? `${Math.round(value)} ms` : `${seconds.toFixed(1)} s`;
}

/** The words for a breaker's state, and its colour. */
export function breakerPill(iri) {
  const state = live.now?.breakers.get(iri)?.state ?? "CLOSED";
  return pill(state.toLowerCase().replace("_", "-"), TONES[state]);
}

/** Which services a route's requests go to, with their shares. */
export function targets(route) {
  if (!route.splits.length) return route.upstream ? [{ upstream: route.upstream, share: null }] : [];
  const weight = (split) => live.now?.weights.get(split.iri) ?? null;
  return route.splits.map((split) => ({ upstream: split.upstream, share: weight(split) ?? split.weight }));
}

function sparkline(values) {
  const top = Math.max(1, ...values);
  const points = values.map((value, index) => `${60 - values.length + index + 1},${(17 - (value / top) * 15).toFixed(1)}`);
  return points.join(" ");
}

class Row {
  constructor(route) {
    this.route = route;
    this.cells = Object.fromEntries(COLUMNS.map(([key, label]) => [key, el("td", { class: key, "data-label": label, role: "cell" })]));
    this.open = false;
    this.name = el("button", { class: "link name", type: "button", "aria-expanded": "false", onclick: () => this.toggle() }, route.name);
    this.name.title = route.iri;
    this.cells.route.append(this.name);
    const methods = route.methods.length ? route.methods.join(" ") : "any";
    const path = route.path + (route.path_kind === "Prefix" ? "/*" : "");
    fill(this.cells.match, el("span", { class: "method" }, methods), " ", el("code", { title: path }, path), route.hosts.length ? el("span", { class: "quiet hosts" }, route.hosts.join(" ")) : null);
    this.line = svg("polyline", { class: "spark" });
    this.number = el("span", { class: "number" });
    fill(this.cells.rate, svg("svg", { viewBox: "0 0 61 18", width: 61, height: 18, "aria-hidden": "true" }, this.line), this.number);
    this.node = el("tr", { "data-iri": route.iri, role: "row" }, Object.values(this.cells));
    this.more = el("tr", { class: "more", hidden: true, role: "row" }, el("td", { colspan: COLUMNS.length, role: "cell" }));
  }

  toggle() {
    this.open = !this.open;
    this.name.setAttribute("aria-expanded", String(this.open));
    this.more.hidden = !this.open;
    this.detail();
  }

  update() {
    const { route } = this;
    this.seen = live.traffic(route.iri);
    this.refused = live.refusals(route.rate_limits);
  }

  draw() {
    const { route, seen, refused, cells } = this;
    const to = targets(route).map(({ upstream, share }) => local(upstream) + (share === null ? "" : `\u00a0${Math.round(share)}\u00a0%`));
    say(cells.to, to.join(" · ") || "itself");
    this.line.setAttribute("points", sparkline(live.history(route.iri)));
    say(this.number, perSecond(seen.rate));
    say(cells.errors, seen.rate > 0 ? `${(seen.errorShare * 100).toFixed(seen.errorShare > 0 && seen.errorShare < 0.1 ? 1 : 0)} %` : "–");
    cells.errors.classList.toggle("bad", seen.errorShare > 0.01);
    say(cells.median, milliseconds(seen.median));
    say(cells.slow, milliseconds(seen.slow));
    const limit = !route.rate_limits.length ? null : refused.rate > 0 ? pill(`${perSecond(refused.rate)}/s refused`, "warn") : pill("admits", "good");
    this.swap(cells.limit, limit);
    this.swap(cells.breaker, route.breaker ? breakerPill(route.breaker) : null);
    if (this.open) this.detail();
  }

  swap(cell, child) {
    const fresh = child ?? "–";
    if (cell.textContent !== (fresh.textContent ?? fresh) || !cell.firstChild) fill(cell, fresh);
  }

  detail() {
    const { route, seen } = this;
    const items = [
      ["IRI", el("code", null, route.iri)],
      ["Answered", Object.entries(seen.classes).map(([kind, count]) => `${kind}: ${count.toLocaleString("en")}`).join(" · ") || "nothing yet"],
    ];
    for (const iri of route.rate_limits) {
      const counts = live.now.limits.get(iri) ?? { admitted: 0, rejected: 0 };
      items.push(["Limiter", `${curie(iri)} admitted ${counts.admitted.toLocaleString("en")}, refused ${counts.rejected.toLocaleString("en")}`]);
    }
    if (route.breaker) {
      const held = live.now.breakers.get(route.breaker);
      items.push(["Breaker", `${curie(route.breaker)} ${(held?.state ?? "CLOSED").toLowerCase()}, opened ${held?.opened ?? 0} times`]);
    }
    const list = el("dl", { class: "pairs" }, items.map(([term, what]) => [el("dt", null, term), el("dd", null, what)]));
    if (this.list) this.list.replaceWith(list);
    else {
      const method = route.methods[0] ?? "GET";
      const path = route.path_kind === "Prefix" ? `${route.path}/x` : route.path.replace(/\{[^}]*\}/g, "1");
      const host = route.hosts[0]?.replace("*", "any") ?? "";
      const query = new URLSearchParams({ method, url: host ? `http://${host}${path}` : path });
      const [hanging, told] = impactButton(route.iri);
      this.more.firstChild.append(
        list,
        el("p", { class: "row" }, el("a", { href: `#explain?${query}` }, "Explain a request to it"), el("a", { href: `#query?${new URLSearchParams({ describe: route.iri })}` }, "Its triples"), hanging),
        told,
      );
    }
    this.list = list;
  }
}

function tile(label) {
  const value = el("strong", null, "–");
  return [el("div", { class: "tile" }, el("span", { class: "quiet" }, label), value), value];
}

export function routesView(section) {
  const tiles = ["Requests/s", "5xx", "Refused/s", "Breakers open"].map(tile);
  const filter = el("input", { id: "route-filter", type: "search", placeholder: "Filter by name, path, host, service", "aria-label": "Filter routes", oninput: () => lay() });
  const count = el("span", { class: "quiet", role: "status" });
  const body = el("tbody", { role: "rowgroup" });
  const more = el("button", { type: "button", hidden: true, onclick: () => ((most += STEP), lay()) }, "Show more");
  let rows = [];
  let most = STEP;
  let order = 0;
  const heads = COLUMNS.map(([key, label, by], index) => {
    const head = el("th", { class: key, scope: "col", role: "columnheader", "aria-sort": index === 0 ? "ascending" : by ? "none" : null });
    head.append(by ? el("button", { type: "button", class: "link", onclick: () => sorted(index) }, label) : label);
    return head;
  });
  const table = el("table", { class: "routes", role: "table", "aria-label": "Routes" }, el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads)), body);
  fill(section, el("div", { class: "tiles" }, tiles.map(([node]) => node)), el("div", { class: "row bar" }, filter, count), table, more);

  function sorted(index) {
    order = index;
    heads.forEach((head, at) => head.hasAttribute("aria-sort") && head.setAttribute("aria-sort", at !== index ? "none" : index === 0 ? "ascending" : "descending"));
    lay();
  }

  function wanted() {
    const text = filter.value.trim().toLowerCase();
    const told = (route) => [route.iri, route.name, route.path, ...route.hosts, ...route.methods, ...targets(route).map((item) => item.upstream)];
    return rows.filter(({ route }) => !text || told(route).some((part) => part.toLowerCase().includes(text)));
  }

  /** Which rows are there, in which order. */
  function lay() {
    const chosen = wanted();
    const by = COLUMNS[order][2];
    chosen.forEach((row) => row.update());
    chosen.sort((one, other) => by(one) - by(other) || one.route.index - other.route.index);
    const seen = chosen.slice(0, most);
    seen.forEach((row) => row.draw());
    fill(body, seen.map((row) => [row.node, row.more]));
    more.hidden = chosen.length <= most;
    say(count, chosen.length === rows.length ? `${rows.length} routes` : `${chosen.length} of ${rows.length} routes`);
  }

  function tick() {
    if (section.hidden || live.now === null) return;
    let [total, failed, open] = [0, 0, 0];
    for (const row of rows) {
      row.update();
      total += row.seen.rate;
      failed += row.seen.rate * row.seen.errorShare;
      if (row.node.isConnected) row.draw();
    }
    for (const breaker of live.now.breakers.values()) open += breaker.state === "OPEN";
    const refused = live.refusals(live.now.limits.keys()).rate;
    const values = [perSecond(total), total > 0 ? `${((failed / total) * 100).toFixed(1)} %` : "–", perSecond(refused), String(open)];
    tiles.forEach(([, node], index) => say(node, values[index]));
    tiles[1][1].className = total > 0 && failed / total > 0.01 ? "bad" : "";
    tiles[3][1].className = open ? "bad" : "";
  }

  function configured() {
    const known = new Map(rows.map((row) => [row.route.iri, row]));
    const focused = document.activeElement?.closest?.("tr")?.dataset.iri;
    rows = live.routes.map((route) => {
      const old = known.get(route.iri);
      const fresh = new Row(route);
      if (old?.open) fresh.update(), fresh.toggle();
      return fresh;
    });
    lay();
    if (focused) rows.find((row) => row.route.iri === focused)?.name.focus();
  }

  live.addEventListener("config", configured);
  live.addEventListener("tick", tick);
  if (live.now !== null) configured();
  return { shown: () => tick() };
}
