// What a change would touch, or what hangs on a thing: routes, hosts, services, manifests, the share of the traffic.

import { json } from "./api.js";
import { el, fill, pill, trouble } from "./dom.js";
import { local, prefixes } from "./terms.js";

const SEEN = 12;

/** A button that tells, below it, what hangs on the thing. */
export function impactButton(iri) {
  const out = el("div", { class: "impact", "aria-live": "polite" });
  const button = el("button", { type: "button", onclick: ask, title: "What would be different if nothing were said of it" }, "What hangs on it");
  async function ask() {
    button.disabled = true;
    fill(out, el("p", { class: "quiet" }, "Asking …"));
    try {
      await prefixes().catch(() => {});
      fill(out, impact(await json(`/impact?${new URLSearchParams({ iri })}`)));
    } catch (error) {
      fill(out, trouble(error));
    } finally {
      button.disabled = false;
    }
  }
  return [button, out];
}

/** What a SPARQL Update would touch if it were made. */
export async function impactOfUpdate(text) {
  try {
    await prefixes().catch(() => {});
    return impact(await json("/impact", { method: "POST", type: "application/sparql-update", body: text }));
  } catch (error) {
    return trouble(error);
  }
}

/** `/impact` in words. */
export function impact({ routes, services, hosts, manifests, settings, share }) {
  if (!routes.length && !services.length && !settings && !manifests?.length) return el("p", { id: "impact" }, "It touches nothing that is served.");
  const named = (iri) => el("span", { title: iri }, local(iri));
  const rows = [
    ["Routes", routes, named],
    ["Services", services, named],
    ["Hosts", hosts, (host) => (host === "*" ? "any" : el("code", null, host))],
  ].filter(([, items]) => items.length);
  return el(
    "div",
    { id: "impact" },
    el("p", null, settings ? pill("every route", "warn") : pill(`${routes.length} route${routes.length === 1 ? "" : "s"}`, routes.length ? "warn" : "quiet"), " ", share === null ? "" : pill(`${(share * 100).toFixed(1)} % of the requests so far`, share > 0 ? "warn" : "quiet")),
    el("dl", { class: "pairs" }, rows.map(([name, items, show]) => [el("dt", null, name), el("dd", null, listed(items, show))]), files(manifests ?? [])),
    manifests === null ? el("p", { class: "quiet" }, "Manifests were not compared: there are many routes. agw impact --live does.") : null,
  );
}

function files(names) {
  if (!names.length) return null;
  return [el("dt", null, "Manifests"), el("dd", null, el("details", null, el("summary", null, `${names.length} file${names.length === 1 ? "" : "s"}`), el("ul", null, names.map((name) => el("li", null, el("code", null, name))))))];
}

function listed(items, show) {
  const seen = items.slice(0, SEEN).map((item, index) => [index ? ", " : "", show(item)]);
  const rest = items.slice(SEEN);
  return [seen, rest.length ? el("details", null, el("summary", null, `${rest.length} more`), rest.map((item, index) => [index ? ", " : "", show(item)])) : null];
}
