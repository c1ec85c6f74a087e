// How the explorer draws: frames of inline SVG, handles, the plane of weights.
"use strict";
(function () {
const bn = (window.bnExplorer ??= {});
const NS = "http://www.w3.org/2000/svg";
let count = 0;

function put(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
const make = (tag, attributes = {}) => put(document.createElementNS(NS, tag), attributes);
const html = (tag, attributes = {}, ...children) => {
  const element = put(document.createElement(tag), attributes);
  element.append(...children);
  return element;
};

// A number as the page writes it: four digits, a true minus.
function show(value) {
  const short = Math.abs(value) < 1e-9 ? 0 : Number(value.toPrecision(4));
  return String(short).replace("-", "−");
}
const pair = v => `(${v.map(show).join(", ")})`;

// A drawing of w by h with a window [x0, x1, y0, y1] on the plane and a caption.
function frame(words, w, h) {
  const svg = make("svg", { viewBox: `0 0 ${w} ${h}`, role: "group", "aria-label": words, class: "bn-plot" });
  const layer = make("g", { "aria-hidden": true }), top = make("g"), above = layer.cloneNode();
  svg.append(layer, top, above);
  const f = { top, above, w, h, box: [-1, 1, -1, 1], held: false, handles: [], hatch: `bn-hatch-${++count}` };
  f.at = ([p, q]) => {
    const [x0, x1, y0, y1] = f.box;
    return [((p - x0) / (x1 - x0)) * w, ((y1 - q) / (y1 - y0)) * h];
  };
  f.from = event => {
    const [x0, x1, y0, y1] = f.box, r = svg.getBoundingClientRect();
    const p = (event.clientX - r.left) / r.width, q = (event.clientY - r.top) / r.height;
    return [x0 + p * (x1 - x0), y1 - q * (y1 - y0)];
  };
  f.draw = parts => {
    layer.innerHTML = parts.join("");
    f.handles.forEach(place => place());
  };
  f.figure = html("div", {}, svg, html("p", {}, words));
  return f;
}

// A window around 0 with these places in it, in steps; not while something is dragged.
function reach(f, places) {
  if (f.held) return;
  const tall = f.h / f.w, sizes = places.map(([p, q]) => Math.max(Math.abs(p), Math.abs(q / tall)));
  const need = 1.25 * Math.max(0.8, ...sizes), power = 10 ** Math.floor(Math.log10(need));
  const r = power * Math.ceil(need / power - 1e-9);
  f.box = [-r, r, -r * tall, r * tall];
}

// Parts of a drawing: a line or area, a mark, words.
const trace = (f, points, kind) => `<path class="${kind}" d="M ${points.map(f.at).join(" L ")}"/>`;
function mark(f, p, kind, round = 0, turn = 0) {
  const [x, y] = f.at(p);
  return `<rect class="${kind}" x="${x - 6}" y="${y - 6}" width="12" height="12" rx="${round}" ` +
    `transform="rotate(${turn} ${x} ${y})"/>`;
}
function text(f, p, words, kind, dx = 0, dy = 0) {
  const [x, y] = f.at(p);
  return `<text class="${kind}" x="${x + dx}" y="${y + dy}">${words}</text>`;
}

// Words beside a point, in this direction from it.
function beside(f, p, v, words) {
  const k = 24 / (bn.length(v) || 1);
  return text(f, p, words, "bn-name", k * v[0], 5 - k * v[1]);
}

const step = top => [5, 2, 1, 0.5].map(v => v * 10 ** Math.floor(Math.log10(top))).find(v => v <= top * 0.6);

// Lines through 0, a few numbers beside them, and names.
function axes(f, names) {
  const [x0, x1, y0, y1] = f.box;
  const found = [trace(f, [[x0, 0], [x1, 0]], "bn-axis"), trace(f, [[0, y0], [0, y1]], "bn-axis")];
  for (const sign of [-1, 1]) {
    const [p, q] = [sign * step(x1), sign * step(y1)];
    found.push(text(f, [p, 0], show(p), "bn-middle", 0, 14), text(f, [0, q], show(q), "bn-end", -5, 4));
  }
  return [...found, text(f, [x1, 0], names[0], "bn-end", -4, 14), text(f, [0, y1], names[1], "", 6, 13)];
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

// Something to drag, without scrolling: get() gives its place, set(place) moves it.
function handle(f, { label, name, get, set, done, upright }) {
  const g = make("g", { class: "bn-handle", tabindex: 0, role: "slider", "aria-label": label });
  const letter = make("text", { class: "bn-middle", y: 4 });
  letter.textContent = name;
  g.append(make("circle", { r: 20, class: "bn-grip" }), make("circle", { r: 9 }), letter);
  g.addEventListener("touchstart", event => event.preventDefault(), { passive: false });
  g.onpointerdown = event => {
    if (event.button) return;
    event.preventDefault();
    g.focus({ preventScroll: true });
    g.setPointerCapture(event.pointerId);
    f.held = true;
  };
  g.onpointermove = event => {
    if (g.hasPointerCapture(event.pointerId)) set(f.from(event).map(v => Math.round(v * 10) / 10));
  };
  g.onlostpointercapture = () => {
    f.held = false;
    done();
  };
  g.onkeydown = event => {
    const way = ARROWS[event.key];
    if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    set(get().map((v, i) => v + way[i] * (event.shiftKey ? 1 : 0.1)));
    done();
  };
  f.top.append(g);
  f.handles.push(() => {
    const place = get(), now = place[upright ? 1 : 0], words = upright ? show(now) : pair(place);
    put(g, { transform: `translate(${f.at(place)})`, "aria-valuenow": now, "aria-valuetext": words });
  });
}

const times = (u, k) => u.map(v => v * k);
const polar = (angle, r) => [r * Math.cos(angle), r * Math.sin(angle)];

function sector(f, [from, to], kind) {
  const rim = [0, 0.25, 0.5, 0.75, 1].map(part => polar(from + part * (to - from), 3 * f.box[1]));
  return trace(f, [[0, 0], ...rim], kind);
}

// The name of a sector, where no other name is.
function named(f, [from, to], words) {
  const r = f.box[1], turn = to - from;
  const spots = [0.5, 0.25, 0.75].map(part => polar(from + part * turn, 0.74 * r));
  const free = ([x, y]) => f.busy.every(([p, q]) => bn.length([x - p, y - q]) > 0.3 * r);
  return Math.abs(turn) > 0.45 ? text(f, spots.find(free) || spots[0], words, "bn-middle") : "";
}

// Where the lemma is false, true or says nothing.
function regions(f, r) {
  if (r.along || r.kind === "nowhere") return [];
  const e = Math.atan2(r.star[1], r.star[0]), half = Math.PI / 2, zero = !bn.length(r.star);
  const outside = [zero ? e - half : e + half, e + 3 * half];
  const found = [sector(f, outside, "bn-void")], names = [named(f, outside, "does not apply")];
  if (r.sectors) {
    const { none, fails, holds } = r.sectors, fill = `bn-none" fill="url(#${f.hatch})`;
    found.push(sector(f, fails, "bn-fails"), sector(f, none, fill));
    names.push(named(f, none, "none closest"), named(f, fails, "false"), named(f, holds, "true"));
  } else if (r.theorem && !zero) names.push(named(f, [e, e + half], "true"));
  return [...found, ...names];
}

// The closest point to W₀ of the BN optima and their border.
function nearest({ u, w0, kind }) {
  const toward = u && bn.dot(u, w0);
  return kind === "ray" ? times(u, Math.max(toward, 0))
    : kind === "half-plane" ? w0.map((v, i) => v - Math.min(toward, 0) * u[i]) : w0;
}

// The BN optima, the line of W*, and both sides of the inequality as distances.
function distances(f, r, foot) {
  const far = 3 * f.box[1], { u, w0, star, kind } = r, found = [], size = bn.dot(star, star);
  const angle = u && Math.atan2(u[1], u[0]), away = w0.map((v, i) => foot[i] - v);
  if (kind === "half-plane") found.push(sector(f, [angle - Math.PI / 2, angle + Math.PI / 2], "bn-optima"));
  if (r.along)
    found.push(trace(f, [far, -far].map(k => star.map((v, i) => v + k * r.along[i])), "bn-standard bn-dashed"));
  if (size) found.push(trace(f, [[0, 0], times(star, far / Math.sqrt(size))], "bn-standard"));
  if (kind === "ray") found.push(trace(f, [[0, 0], times(u, far)], "bn-normalized"));
  if (!r.applies || kind === "nowhere") return found;
  found.push(trace(f, [w0, times(star, bn.dot(star, w0) / size)], "bn-right"), trace(f, [w0, foot], "bn-left"));
  found.push(mark(f, foot, r.exists ? "bn-foot" : "bn-foot bn-open", 6));
  return r.exists ? [...found, beside(f, foot, bn.length(away) ? away : [-w0[1], w0[0]], "Ŵ*")] : found;
}

function path(f, r) {
  const { end, why } = r.flow;
  if (why !== "ray") return "";
  const radius = (bn.length(r.w0) / (f.box[1] - f.box[0])) * f.w, sweep = Number(bn.cross(r.w0, end) < 0);
  return `<path class="bn-flow" d="M ${f.at(r.w0)} A ${radius} ${radius} 0 0 ${sweep} ${f.at(end)}"/>` +
    mark(f, end, "bn-end-of-flow", 0, 45);
}

function drawWeights(f, r, more = "") {
  reach(f, [r.w0, r.star, r.flow.end || r.w0]);
  const hatch = `<pattern id="${f.hatch}" width="7" height="7" patternUnits="userSpaceOnUse" ` +
    'patternTransform="rotate(45)"><path class="bn-fails" d="M 0 0 H 7 V 7 H 0"/>' +
    '<path class="bn-stripe" d="M 0 0 V 7"/></pattern>';
  const { star, w0 } = r, foot = nearest(r), out = bn.length(w0) > bn.length(star) ? -1 : 1;
  f.busy = [w0, star, foot];
  f.draw([hatch, ...regions(f, r), ...axes(f, ["w₁", "w₂"]), path(f, r),
    ...distances(f, r, foot), more, mark(f, star, "bn-star"), beside(f, star, times(star, out), "W*")]);
}

Object.assign(bn, { html, show, pair, frame, reach, step, trace, mark, text, axes, handle, drawWeights });
})();
