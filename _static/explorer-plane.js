// How the explorer draws: frames of inline SVG, handles, the plane of weights.
"use strict";
(function () {
const bn = (window.bnExplorer = window.bnExplorer || {});
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

// A drawing of w by h with a window [x0, x1, y0, y1] on the plane; `words` is its caption.
function frame(words, w, h) {
  const svg = make("svg", { viewBox: `0 0 ${w} ${h}`, role: "group", "aria-label": words, class: "bn-plot" });
  const layer = make("g", { "aria-hidden": true }), top = make("g");
  svg.append(layer, top);
  const f = { svg, layer, top, w, h, box: [-1, 1, -1, 1], held: false, handles: [], hatch: `bn-hatch-${++count}` };
  f.at = ([p, q]) => {
    const [x0, x1, y0, y1] = f.box;
    return [((p - x0) / (x1 - x0)) * w, ((y1 - q) / (y1 - y0)) * h].map(v => Math.round(v * 100) / 100);
  };
  f.from = event => {
    const [x0, x1, y0, y1] = f.box, r = svg.getBoundingClientRect();
    const [p, q] = [(event.clientX - r.left) / r.width, (event.clientY - r.top) / r.height];
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
  const need = 1.25 * Math.max(0.8, ...sizes);
  const power = 10 ** Math.floor(Math.log10(need));
  const r = power * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find(each => each * power >= need - 1e-9);
  f.box = [-r, r, -r * tall, r * tall];
}

// Parts of a drawing: a line or area through points, a mark at a point, words at a point.
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

// Lines through 0, a few numbers beside them, and names.
function axes(f, names) {
  const [x0, x1, y0, y1] = f.box;
  const found = [trace(f, [[x0, 0], [x1, 0]], "bn-axis"), trace(f, [[0, y0], [0, y1]], "bn-axis")];
  const step = top => [5, 2, 1, 0.5].map(v => v * 10 ** Math.floor(Math.log10(top))).find(v => v <= top * 0.6);
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
  const letter = make("text", { class: "bn-middle", y: 4, "aria-hidden": true });
  letter.textContent = name;
  g.append(make("circle", { r: 20, class: "bn-grip" }), make("circle", { r: 9 }), letter);
  g.addEventListener("touchstart", event => event.preventDefault(), { passive: false });
  g.addEventListener("pointerdown", event => {
    if (event.button) return;
    event.preventDefault();
    g.focus({ preventScroll: true });
    g.setPointerCapture(event.pointerId);
    f.held = true;
  });
  g.addEventListener("pointermove", event => {
    if (g.hasPointerCapture(event.pointerId)) set(f.from(event).map(v => Math.round(v * 10) / 10));
  });
  g.addEventListener("lostpointercapture", () => {
    f.held = false;
    done();
  });
  g.addEventListener("keydown", event => {
    const way = ARROWS[event.key];
    if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    set(get().map((v, i) => v + way[i] * (event.shiftKey ? 1 : 0.1)));
    done();
  });
  f.top.append(g);
  f.handles.push(() => {
    const place = get(), now = place[upright ? 1 : 0], words = upright ? show(now) : pair(place);
    put(g, { transform: `translate(${f.at(place)})`, "aria-valuenow": now, "aria-valuetext": words });
  });
}

const times = (u, k) => u.map(v => v * k);
const polar = (angle, r) => [r * Math.cos(angle), r * Math.sin(angle)];

// A sector of starts between two angles, to beyond the frame.
function sector(f, [from, to], kind) {
  const n = Math.ceil(Math.abs(to - from) / 0.7) || 1, turn = (to - from) / n;
  const rim = Array.from({ length: n + 1 }, (_, i) => polar(from + i * turn, 3 * f.box[1]));
  return trace(f, [[0, 0], ...rim], kind);
}

function named(f, [from, to], words) {
  const wide = Math.abs(to - from) > 0.45;
  return wide ? text(f, polar((from + to) / 2, 0.74 * f.box[1]), words, "bn-middle") : "";
}

// Where the lemma is false, true or says nothing, as far as that is a matter of direction.
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

// The BN optima, the line of W*, and both sides of the inequality as distances.
function distances(f, r) {
  const far = 3 * f.box[1], { u, w0, star, kind } = r, found = [], size = bn.dot(star, star);
  const toward = u && bn.dot(u, w0), angle = u && Math.atan2(u[1], u[0]);
  const foot = kind === "ray" ? times(u, Math.max(toward, 0))
    : kind === "half-plane" ? w0.map((v, i) => v - Math.min(toward, 0) * u[i]) : w0;
  if (kind === "half-plane") found.push(sector(f, [angle - Math.PI / 2, angle + Math.PI / 2], "bn-optima"));
  if (r.along)
    found.push(trace(f, [far, -far].map(k => star.map((v, i) => v + k * r.along[i])), "bn-standard bn-dashed"));
  if (size) found.push(trace(f, [[0, 0], times(star, far / Math.sqrt(size))], "bn-standard bn-thin"));
  if (kind === "ray") found.push(trace(f, [[0, 0], times(u, far)], "bn-normalized"));
  if (!r.applies || kind === "nowhere") return found;
  found.push(trace(f, [w0, times(star, bn.dot(star, w0) / size)], "bn-right"), trace(f, [w0, foot], "bn-left"));
  found.push(mark(f, foot, r.exists ? "bn-foot" : "bn-foot bn-open", 6));
  return r.exists ? [...found, text(f, foot, "Ŵ*", "bn-name", -22, -8)] : found;
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
  f.draw([hatch, ...regions(f, r), ...axes(f, ["w₁", "w₂"]), path(f, r), ...distances(f, r), more,
    mark(f, r.star, "bn-star"), text(f, r.star, "W*", "bn-name", 9, 18)]);
}

Object.assign(bn, { html, show, pair, frame, reach, trace, mark, text, axes, handle, drawWeights });
})();
