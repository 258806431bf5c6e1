// What the gateway does, asked once a second while the page is seen; less often where answering takes it long.

import { ask, json } from "./api.js";
import { quantile, rate, read } from "./metrics.js";

const KEPT = 61;
const PAUSE = 1000;

class Live extends EventTarget {
  samples = [];
  routes = [];
  revision = null;
  failure = null;
  #tag = null;
  #model = null;
  #timer = 0;

  start() {
    document.addEventListener("visibilitychange", () => document.hidden || this.#soon(0));
    this.#poll();
  }

  /** Ask now, not at the end of the second. */
  refresh() {
    this.#soon(0);
  }

  get now() {
    return this.samples[this.samples.length - 1] ?? null;
  }

  /** The sample of so many seconds ago, or the oldest. */
  before(seconds) {
    const wanted = this.now.moment - seconds * 1000;
    return this.samples.find((item) => item.moment >= wanted - 200) ?? this.samples[0];
  }

  /** The compiled configuration in force. */
  model() {
    this.#model ??= json("/config").catch((error) => {
      this.#model = null;
      throw error;
    });
    return this.#model;
  }

  /** A route's traffic of late: rate and errors over 5 seconds, latencies over 30. */
  traffic(iri) {
    const none = { requests: 0, classes: {}, buckets: [], errors: 0 };
    const [recent, longer] = [this.before(5), this.before(30)];
    const [now, then, past] = [this.now, recent, longer].map((item) => item.routes.get(iri) ?? none);
    const seconds = (this.now.moment - recent.moment) / 1000;
    const failed = rate(now.classes["5xx"] ?? 0, then.classes["5xx"] ?? 0, seconds);
    const perSecond = rate(now.requests, then.requests, seconds);
    return {
      rate: perSecond,
      errorShare: perSecond > 0 ? failed / perSecond : 0,
      median: quantile(now.buckets, past.buckets, 0.5),
      slow: quantile(now.buckets, past.buckets, 0.95),
      requests: now.requests,
      classes: now.classes,
    };
  }

  /** Refusals of some limiters in a second, and in all. */
  refusals(limits) {
    const then = this.before(5);
    const seconds = (this.now.moment - then.moment) / 1000;
    let [perSecond, total] = [0, 0];
    for (const iri of limits) {
      const [now, past] = [this.now.limits.get(iri)?.rejected ?? 0, then.limits.get(iri)?.rejected ?? 0];
      perSecond += rate(now, past, seconds);
      total += now;
    }
    return { rate: perSecond, total };
  }

  /** Requests a second between each two samples, oldest first. */
  history(iri) {
    const counts = this.samples.map((item) => [item.moment, item.routes.get(iri)?.requests ?? 0]);
    return counts.slice(1).map(([moment, count], index) => rate(count, counts[index][1], (moment - counts[index][0]) / 1000));
  }

  async #poll() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const begun = performance.now();
    let took = 0;
    try {
      const sample = read(await (await ask("/metrics", { accept: "text/plain" })).text(), performance.now());
      took = performance.now() - begun;
      if (sample.revision !== this.#tag || this.revision === null) {
        const table = await json("/routes");
        [this.routes, this.revision, this.#tag, this.#model] = [table.routes, table.revision, sample.revision, null];
        this.#kept(sample);
        this.dispatchEvent(new Event("config"));
      } else {
        this.#kept(sample);
      }
      this.failure = null;
    } catch (error) {
      this.failure = error;
    }
    this.dispatchEvent(new Event("tick"));
    if (!document.hidden && this.failure?.status !== 401) this.#soon(Math.max(PAUSE - took, took * 2));
  }

  #kept(sample) {
    this.samples.push(sample);
    if (this.samples.length > KEPT) this.samples.shift();
  }

  #soon(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#poll(), wait);
  }
}

export const live = new Live();
