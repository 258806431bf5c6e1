// The metrics of one moment, and what two moments say together.

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

function labels(text) {
  const found = {};
  for (const [, name, value] of (text ?? "").matchAll(LABEL)) {
    found[name] = value.replace(/\\(.)/g, (_, escaped) => (escaped === "n" ? "\n" : escaped));
  }
  return found;
}

function at(map, key, fresh) {
  let held = map.get(key);
  if (held === undefined) map.set(key, (held = fresh()));
  return held;
}

const freshRoute = () => ({ requests: 0, classes: {}, buckets: [], errors: 0 });
const freshLimit = () => ({ admitted: 0, rejected: 0 });
const freshBreaker = () => ({ state: "CLOSED", opened: 0 });
const freshEndpoint = () => ({ active: 0, requests: 0, failures: 0, health: null, ejected: false });

const READ = {
  agw_requests_total(sample, label, value) {
    const route = at(sample.routes, label.route, freshRoute);
    route.requests += value;
    route.classes[label.code_class] = value;
  },
  agw_gateway_errors_total: (sample, label, value) => (at(sample.routes, label.route, freshRoute).errors = value),
  agw_request_duration_seconds_bucket(sample, label, value) {
    at(sample.routes, label.route, freshRoute).buckets.push([label.le === "+Inf" ? Infinity : Number(label.le), value]);
  },
  agw_rate_limit_total: (sample, label, value) => (at(sample.limits, label.limiter, freshLimit)[label.result] = value),
  agw_breaker_state(sample, label, value) {
    if (value) at(sample.breakers, label.breaker, freshBreaker).state = label.state;
  },
  agw_breaker_opened_total: (sample, label, value) =>
    (at(sample.breakers, label.breaker, freshBreaker).opened = value),
  agw_endpoint_requests_total: (sample, label, value) =>
    (at(sample.endpoints, label.endpoint, freshEndpoint).requests = value),
  agw_endpoint_failures_total: (sample, label, value) =>
    (at(sample.endpoints, label.endpoint, freshEndpoint).failures = value),
  agw_endpoint_active_requests: (sample, label, value) =>
    (at(sample.endpoints, label.endpoint, freshEndpoint).active = value),
  agw_endpoint_health(sample, label, value) {
    if (value) at(sample.endpoints, label.endpoint, freshEndpoint).health = label.state;
  },
  agw_endpoint_ejected: (sample, label, value) =>
    (at(sample.endpoints, label.endpoint, freshEndpoint).ejected = value > 0),
  agw_split_weight_percent: (sample, label, value) => sample.weights.set(label.split, value),
  agw_config_revision_info: (sample, label) => (sample.revision = label.revision),
  agw_workers: (sample, label, value) => (sample.workers = value),
  agw_workers_serving: (sample, label, value) => (sample.serving = value),
};

/** Prometheus text as counters by IRI. `moment`: milliseconds, of the page's clock. */
export function read(text, moment) {
  const sample = {
    moment,
    revision: null,
    workers: 0,
    serving: 0,
    routes: new Map(),
    limits: new Map(),
    breakers: new Map(),
    endpoints: new Map(),
    weights: new Map(),
  };
  for (const line of text.split("\n")) {
    const found = line.startsWith("#") ? null : LINE.exec(line);
    if (found && READ[found[1]]) READ[found[1]](sample, labels(found[2]), Number(found[3]));
  }
  return sample;
}

/** By how much a counter grew in a second. */
export function rate(now, before, seconds) {
  return seconds > 0 ? Math.max(0, now - before) / seconds : 0;
}

/** Seconds within which a share of the requests between two moments was answered; null without requests. */
export function quantile(now, before, share) {
  const earlier = new Map(before);
  const grown = now.map(([end, count]) => [end, count - (earlier.get(end) ?? 0)]);
  const total = grown.length ? grown[grown.length - 1][1] : 0;
  if (total <= 0) return null;
  let start = 0;
  let below = 0;
  for (const [end, count] of grown) {
    if (count >= share * total) {
      if (end === Infinity) return start;
      return start + (end - start) * ((share * total - below) / Math.max(1, count - below));
    }
    [start, below] = [end, count];
  }
  return start;
}
