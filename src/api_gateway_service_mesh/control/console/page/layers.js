// A drawing in layers, from left to right: boxes stand one below the other and never on another; lines go between.

const GAP = 14;

/**
 * Give each node `x` and `y`. A node has `layer`, `width` and `height`; an edge `from` and `to` (nodes). Within a layer
 * nodes come near those of the layer before that they hang on. Returns the width and height of it all.
 */
export function laid(nodes, edges, { between = 90, margin = 8 } = {}) {
  const layers = [];
  for (const node of nodes) (layers[node.layer] ??= []).push(node);
  const columns = layers.filter(Boolean);
  const into = new Map();
  for (const { from, to } of edges) if (from !== to) into.set(to, [...(into.get(to) ?? []), from]);
  const heights = columns.map((column) => column.reduce((sum, node) => sum + node.height + GAP, -GAP));
  const tall = Math.max(0, ...heights);
  let x = margin;
  columns.forEach((column, index) => {
    const placed = new Map(column.map((node, at) => [node, middle(node, into, index) ?? at * 1e-3]));
    if (index > 0) column.sort((one, other) => placed.get(one) - placed.get(other));
    let y = margin + (tall - heights[index]) / 2;
    const spare = column.length > 1 ? Math.min(24, (tall - heights[index]) / column.length) : 0;
    y -= (spare * (column.length - 1)) / 2;
    for (const node of column) {
      Object.assign(node, { x, y, column: index });
      y += node.height + GAP + spare;
    }
    x += Math.max(...column.map((node) => node.width)) + between;
  });
  return { width: Math.max(0, x - between + margin), height: tall + 2 * margin };
}

function middle(node, into, index) {
  const before = (into.get(node) ?? []).filter((other) => other.y !== undefined && other.column < index);
  return before.length ? before.reduce((sum, other) => sum + other.y + other.height / 2, 0) / before.length : null;
}

/** The course of a line from the right side of a box to the left side of another; one that goes back swings out. */
export function course({ from, to }) {
  const [x1, y1, y2] = [from.x + from.width, from.y + from.height / 2, to.y + to.height / 2];
  if (to.x > from.x) {
    const bend = (to.x - x1) / 2;
    return `M${x1} ${y1}C${x1 + bend} ${y1} ${to.x - bend} ${y2} ${to.x} ${y2}`;
  }
  const x2 = to.x + to.width;
  const out = Math.max(x1, x2) + 40;
  return `M${x1} ${y1}C${out} ${y1} ${out} ${y2} ${x2} ${y2}`;
}
