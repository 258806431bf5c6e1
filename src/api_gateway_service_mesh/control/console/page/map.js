// The gateway, its routes, their services and the instances of those: one drawing, with their state.

import { el, fill, pill, say, svg, trouble } from "./dom.js";
import { impactButton } from "./impact.js";
import { course, laid } from "./layers.js";
import { live } from "./live.js";
import { milliseconds, perSecond, targets } from "./routes.js";
import { curie, fitted, local } from "./terms.js";

const MOST = 120;
const LAYERS = ["Gateway", "Routes", "Services", "Instances"];
const WIDTHS = [120, 210, 160, 190];

function gather(model, text) {
  const nodes = new Map();
  const edges = [];
  const node = (layer, iri, name, more) => {
    const key = `${layer} ${iri}`;
    if (!nodes.has(key)) nodes.set(key, { key, layer, iri, name, width: WIDTHS[layer], height: 40, ...more });
    return nodes.get(key);
  };
  const upstreams = new Map(model.upstreams.map((item) => [item.iri, item]));
  const fits = (route) => !text || [route.iri, route.path, ...targets(route).map((item) => item.upstream)].some((part) => part.toLowerCase().includes(text));
  const all = live.routes.filter(fits);
  const root = node(0, model.iri, model.name ?? local(model.iri), { listeners: model.listeners ?? [] });
  for (const route of all.slice(0, MOST)) {
    const drawn = node(1, route.iri, route.name, { route });
    edges.push({ from: root, to: drawn });
    for (const { upstream, share } of targets(route)) {
      const held = upstreams.get(upstream);
      const service = node(2, upstream, held?.name ?? local(upstream), { upstream: held });
      edges.push({ from: drawn, to: service, share });
      for (const endpoint of held?.endpoints ?? []) {
        const only = endpoint.iri === upstream;
        const name = only ? address(endpoint) : local(endpoint.iri);
        const instance = node(3, endpoint.iri, name, { endpoint, only });
        if (!edges.some((edge) => edge.from === service && edge.to === instance)) edges.push({ from: service, to: instance });
      }
    }
  }
  return { nodes: [...nodes.values()], edges, left: all.length - Math.min(all.length, MOST) };
}

function address({ host, port }) {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** A line below the name, and a colour. */
function state(node) {
  if (node.layer === 0) {
    const ports = node.listeners.map((item) => `:${item.port}`).join(" ");
    return { text: ports || "gateway", tone: live.now.serving ? "good" : "bad" };
  }
  if (node.route) {
    const seen = live.traffic(node.iri);
    const open = node.route.breaker ? live.now.breakers.get(node.route.breaker)?.state : "CLOSED";
    const tone = open === "OPEN" || seen.errorShare > 0.5 ? "bad" : open === "HALF_OPEN" || seen.errorShare > 0.01 ? "warn" : "good";
    return { text: `${node.route.path}`, tone, busy: seen.rate };
  }
  if (node.endpoint) {
    const held = live.now.endpoints.get(node.iri);
    const ill = held?.health === "UNHEALTHY" || held?.ejected;
    const health = (held?.health ?? "unknown").toLowerCase().replace("unknown", "not probed");
    return { text: node.only ? health : address(node.endpoint), tone: ill ? "bad" : "good" };
  }
  const endpoints = node.upstream?.endpoints ?? [];
  const ill = endpoints.filter(({ iri }) => live.now.endpoints.get(iri)?.health === "UNHEALTHY" || live.now.endpoints.get(iri)?.ejected).length;
  const tone = ill === 0 ? "good" : ill < endpoints.length ? "warn" : "bad";
  return { text: `${endpoints.length - ill} of ${endpoints.length} up`, tone };
}

function facts(node) {
  const found = [["IRI", el("code", null, node.iri)]];
  if (node.route) {
    const seen = live.traffic(node.iri);
    found.push(["Requests", `${perSecond(seen.rate)}/s, ${seen.requests.toLocaleString("en")} in all`], ["Latency", `p50 ${milliseconds(seen.median)}, p95 ${milliseconds(seen.slow)}`]);
    if (node.route.breaker) found.push(["Breaker", live.now.breakers.get(node.route.breaker)?.state ?? "CLOSED"]);
    for (const iri of node.route.rate_limits) found.push(["Limiter", `${curie(iri)}: ${live.now.limits.get(iri)?.rejected ?? 0} refused`]);
  }
  if (node.endpoint) {
    const held = live.now.endpoints.get(node.iri);
    found.push(["Health", `${(held?.health ?? "unknown").toLowerCase().replace("unknown", "not probed")}${held?.ejected ? ", ejected" : ""}`], ["Requests", `${held?.requests ?? 0}, of which ${held?.failures ?? 0} failed; ${held?.active ?? 0} under way`]);
  }
  return found;
}

export function mapView(section) {
  const filter = el("input", { id: "map-filter", type: "search", placeholder: "Filter by route, path, service", "aria-label": "Filter the map", oninput: () => draw() });
  const note = el("span", { class: "quiet", role: "status" });
  const canvas = el("div", { class: "canvas", tabindex: "-1" });
  const chosen = el("div", { class: "panel", "aria-live": "polite" }, el("p", { class: "quiet" }, "Choose a box to see what it does."));
  fill(section, el("div", { class: "row bar" }, filter, note), canvas, chosen);
  let picture = null;
  let picked = null;
  let stale = true;

  async function draw() {
    stale = section.hidden;
    if (stale || live.now === null) return;
    let model;
    try {
      ({ model } = await live.model());
    } catch (error) {
      fill(canvas, trouble(error));
      return;
    }
    const { nodes, edges, left } = gather(model, filter.value.trim().toLowerCase());
    const size = laid(nodes, edges, { between: 70, margin: 10 });
    const top = 22;
    const labels = LAYERS.map((name, layer) => [name, nodes.find((node) => node.layer === layer)]).filter(([, node]) => node);
    const root = svg("svg", { viewBox: `0 0 ${size.width} ${size.height + top}`, width: size.width, height: size.height + top, role: "group", "aria-label": "Gateway, routes, services, instances" });
    const shift = svg("g", { transform: `translate(0 ${top})` });
    root.append(...labels.map(([name, node]) => svg("text", { class: "layer", x: node.x, y: 14 }, name)), shift);
    for (const edge of edges) {
      edge.line = svg("path", { class: "edge", d: course(edge) });
      shift.append(edge.line);
    }
    for (const edge of edges.filter((item) => item.share !== null && item.share !== undefined)) {
      edge.label = svg("text", { class: "share", x: edge.to.x - 6, y: edge.to.y + edge.to.height / 2 - 4 + shareShift(edge, edges), "text-anchor": "end" });
      shift.append(edge.label);
    }
    nodes.forEach((node, index) => shift.append(box(node, index)));
    picture = { nodes, edges };
    fill(canvas, root);
    say(note, left ? `the first ${MOST} routes; filter to see others (${left} more)` : "");
    if (picked && !nodes.some((node) => node.key === picked)) picked = null;
    tick();
    mark();
  }

  function box(node, index) {
    node.bar = svg("rect", { class: "bar", width: 4, height: node.height, rx: 2 });
    node.line = svg("text", { class: "second", x: 14, y: 31 });
    node.group = svg(
      "g",
      { class: "box", transform: `translate(${node.x} ${node.y})`, tabindex: index ? -1 : 0, role: "button", "aria-pressed": "false", onclick: () => pick(node), onkeydown: (event) => keyed(event, node) },
      svg("title", null, node.iri),
      svg("rect", { class: "body", width: node.width, height: node.height, rx: 5 }),
      node.bar,
      svg("text", { class: "first", x: 14, y: 16 }, fitted(node.name, node.width - 22, "600 12px")),
      node.line,
    );
    return node.group;
  }

  function pick(node) {
    picked = picked === node.key ? null : node.key;
    mark();
    focus(node);
  }

  function focus(node) {
    for (const other of picture.nodes) other.group.setAttribute("tabindex", other === node ? 0 : -1);
    node.group.focus();
  }

  function keyed(event, node) {
    if (event.key === "Enter" || event.key === " ") pick(node);
    else if (event.key === "Escape") (picked = null), mark();
    else {
      const next = neighbour(event.key, node);
      if (next === undefined) return;
      if (next) focus(next);
    }
    event.preventDefault();
  }

  function neighbour(key, node) {
    const linked = (side, other) => picture.edges.filter((edge) => edge[side] === node).map((edge) => edge[other])[0] ?? null;
    if (key === "ArrowRight") return linked("from", "to");
    if (key === "ArrowLeft") return linked("to", "from");
    if (key !== "ArrowDown" && key !== "ArrowUp") return undefined;
    const column = picture.nodes.filter((other) => other.layer === node.layer).sort((one, other) => one.y - other.y);
    return column[column.indexOf(node) + (key === "ArrowDown" ? 1 : -1)] ?? null;
  }

  /** What hangs together with the chosen box, in both directions. */
  function mark() {
    const node = picture?.nodes.find((item) => item.key === picked);
    const kept = new Set(node ? [node] : []);
    for (const [side, other] of [["from", "to"], ["to", "from"]]) {
      let edge = node ? [node] : [];
      while (edge.length) {
        edge = picture.edges.filter((item) => edge.includes(item[side])).map((item) => item[other]);
        edge.forEach((item) => kept.add(item));
      }
    }
    for (const item of picture?.nodes ?? []) {
      item.group.classList.toggle("dim", kept.size > 0 && !kept.has(item));
      item.group.setAttribute("aria-pressed", String(item === node));
    }
    for (const { from, to, line } of picture?.edges ?? []) line.classList.toggle("dim", kept.size > 0 && !(kept.has(from) && kept.has(to)));
    panel(node);
  }

  function panel(node) {
    if (!node) {
      fill(chosen, el("p", { class: "quiet" }, "Choose a box to see what it does."));
      return;
    }
    const list = el("dl", { class: "pairs" }, facts(node).map(([term, what]) => [el("dt", null, term), el("dd", null, what)]));
    const { tone } = state(node);
    fill(chosen, el("h2", null, node.name, " ", pill({ good: "well", warn: "in trouble", bad: "out" }[tone], tone)), list, ...below(node));
  }

  function below(node) {
    const [hanging, told] = impactButton(node.iri);
    return [el("p", { class: "row" }, el("a", { href: `#query?${new URLSearchParams({ describe: node.iri })}` }, "Its triples"), hanging), told];
  }

  function tick() {
    if (section.hidden || live.now === null) return;
    for (const node of picture?.nodes ?? []) {
      const { text, tone, busy } = state(node);
      const rate = busy ? `${perSecond(busy)}/s ` : "";
      say(node.line, fitted(rate + text, node.width - 22, "11px"));
      node.bar.setAttribute("class", `bar ${tone}`);
      node.group.setAttribute("aria-label", `${LAYERS[node.layer].replace(/s$/, "")} ${node.name}, ${text}${rate && `, ${rate}`}, ${{ good: "well", warn: "in trouble", bad: "out" }[tone]}`);
    }
    for (const edge of picture?.edges ?? []) {
      const route = edge.to.route ? edge.to : edge.from.route ? edge.from : null;
      const busy = route ? live.traffic(route.iri).rate : 0;
      edge.line.setAttribute("stroke-width", (1.2 + Math.min(4, Math.log10(1 + busy))).toFixed(2));
      if (edge.label) {
        const share = targets(edge.from.route).find((item) => item.upstream === edge.to.iri)?.share ?? edge.share;
        say(edge.label, `${Math.round(share)} %`);
      }
    }
  }

  live.addEventListener("config", draw);
  live.addEventListener("tick", () => (picture === null ? draw() : tick()));
  return { shown: () => (stale || picture === null ? draw() : tick()) };
}

/** Two labelled lines into one box stand one above the other. */
function shareShift(edge, edges) {
  const labelled = edges.filter((item) => item.to === edge.to && item.share !== null && item.share !== undefined);
  return (labelled.indexOf(edge) - (labelled.length - 1) / 2) * 13;
}
