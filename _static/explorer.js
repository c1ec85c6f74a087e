// The mathematics of the explorer: three points in the plane, one linear neuron, one start.
// A state is {x: three pairs, t: three numbers, w0: a pair}, with six decimals. Questions of yes or
// no (ranks, c = 0, W* on the ray, signs) are decided in whole numbers of millionths; lengths and
// angles are floats. Tests compare it with bnlib.
"use strict";
(function (root) {
const UNIT = 1e6, LIMIT = 1e6;
// The error of a distance from the start, over the length of the start.
const ROUNDING = 72 * 2 ** -52;

const dot = (u, v) => u[0] * v[0] + u[1] * v[1];
const cross = (u, v) => u[0] * v[1] - u[1] * v[0];
const length = v => Math.hypot(v[0], v[1]);
const isZero = v => !v[0] && !v[1]; // of floats and of whole numbers

function tidy(value) {
  if (!(Math.abs(value) <= LIMIT))
    throw new RangeError(`state: ${value} is no number from -1e6 to 1e6; use one.`);
  return Math.round(value * UNIT) / UNIT + 0; // + 0 makes 0 of -0
}

const whole = value => BigInt(Math.round(value * UNIT));

// n / d as a float, for whole numbers below 2^300.
const ratio = (n, d) => Number((n << 400n) / d) / 2 ** 400;

// The shortest w with M w = r, r in the range of M = [[a, b], [b, c]] ≥ 0: num / den, and a vector
// of the kernel where it is a line.
function solve([a, b, c], [r, s]) {
  const det = a * c - b * b, trace = a + c;
  if (det) return { rank: 2, num: [c * r - b * s, a * s - b * r], den: det, kernel: null };
  if (!trace) return { rank: 0, num: [0n, 0n], den: 1n, kernel: null };
  return { rank: 1, num: [r, s], den: trace, kernel: a ? [-b, a] : [1n, 0n] };
}

// Sums in whole numbers: XᵀX, Xᵀt, m²Σ, m²c, and those of inputs and targets. Population moments.
function moments(x, t) {
  const m = BigInt(x.length), sum = values => values.reduce((total, v) => total + v, 0n);
  const of = f => sum(x.map((row, i) => f(row, t[i])));
  const mean = [of(([p]) => p), of(([, q]) => q)], target = sum(t);
  const gram = [of(([p]) => p * p), of(([p, q]) => p * q), of(([, q]) => q * q)];
  const right = [of(([p], y) => p * y), of(([, q], y) => q * y)];
  const product = [mean[0] * mean[0], mean[0] * mean[1], mean[1] * mean[1]];
  const covariance = gram.map((v, i) => m * v - product[i]);
  const correlation = right.map((v, i) => m * v - mean[i] * target);
  return { gram, right, covariance, correlation, mean, target, m };
}

const floats = ({ num, den }) => num.map(v => ratio(v, den));
const unit = v => {
  const top = v.map(each => (each < 0n ? -each : each)).reduce((p, q) => (p > q ? p : q));
  const u = v.map(each => ratio(each, top));
  return u.map(each => each / length(u));
};

// Which set the BN optima are, and how W* lies to it.
function structure(star, hat) {
  const kind = !hat.rank ? "nowhere" : isZero(hat.num) ? "everywhere" : hat.rank === 2 ? "ray" : "half-plane";
  const along = dot(star.num, hat.num);
  const relation = cross(star.num, hat.num) ? "apart" : along > 0n ? "same" : along < 0n ? "opposite" : "zero";
  // A theorem for every start (R12): c = 0, or 1 combines the inputs, or W* is on the ray.
  const bias = kind === "half-plane" && star.rank === 2;
  const onRay = relation === "same" || (relation === "zero" && kind === "half-plane");
  const theorem = kind !== "nowhere" && (kind === "everywhere" || bias || onRay);
  return { kind, relation, bias, theorem };
}

// The signs on which hypothesis and existence hang.
function signs(star, hat, covariance, start) {
  let product = dot(start, star.num); // ⟨W₀, W*⟩, times a positive number
  if (star.kernel) {
    const along = dot(start, star.kernel);
    product = product * BigInt(UNIT) * dot(star.kernel, star.kernel) + along * along * star.den;
  } else if (!star.rank) product = dot(start, start);
  const [a, b, c] = covariance, spread = [dot([a, b], start), dot([b, c], start)];
  const toward = dot(start, hat.num), defined = !isZero(spread);
  return { applies: product > 0n, toward, aside: cross(start, hat.num), defined };
}

function leftSide(kind, u, w0, exists) {
  if (kind === "everywhere") return 0;
  if (kind === "half-plane") return exists ? 0 : dot(u, w0) ** 2;
  return exists ? cross(u, w0) ** 2 : dot(w0, w0);
}

// "true", "false", or "undecided" where rounding could make it either.
function compare(left, right, w0, star, u, kind) {
  const off = ROUNDING * length(w0), excess = left - right;
  const bound = off * (2 * Math.sqrt(left) + off) + off * (2 * Math.sqrt(right) + off);
  if (Math.abs(excess) > bound) return excess > 0 ? "false" : "true";
  if (kind === "ray" && !isZero(star)) { // the projections tell where the squares do not
    const a = dot(w0, star) / length(star), b = Math.max(dot(u, w0), 0);
    if (Math.abs(a - b) > 2 * off) return a > b ? "false" : "true";
  }
  return "undecided";
}

// Shares of failing starts, in both readings; null where there is no law.
function shares(theta, theorem) {
  if (theorem || theta === 0) return { infimum: 0, strict: 0 };
  const turn = theta / (2 * Math.PI);
  return theta === null ? null : { infimum: 0.5 + turn, strict: 0.5 - turn };
}

// Directions of starts: where the inequality is false, where none is closest, where it is true.
function sectors(star, theta, side) {
  const e = Math.atan2(star[1], star[0]), at = turn => e + side * turn, half = Math.PI / 2;
  const none = [at(-half), at(theta - half)], fails = [at(theta - half), at(theta / 2)];
  return { none, fails, holds: [at(theta / 2), at(half)] };
}

// Where gradient flow on the BN loss ends: it keeps ‖w‖.
function flow(kind, sign, u, w0) {
  if (kind === "nowhere" || !sign.defined) return { why: "undefined", end: null };
  if (kind !== "ray") return { why: "flat", end: w0 };
  if (!sign.aside && sign.toward < 0n) return { why: "maximum", end: w0 };
  return { why: "ray", end: u.map(v => v * length(w0)) };
}

function optima(x, t, w0) {
  const sums = moments(x.map(row => row.map(whole)), t.map(whole));
  const star = solve(sums.gram, sums.right), hat = solve(sums.covariance, sums.correlation);
  const slope = floats(hat), shortest = floats(star);
  const a = ratio(sums.target * hat.den - dot(sums.mean, hat.num), sums.m * hat.den) / UNIT;
  let closest = star.rank ? shortest : w0;
  const along = star.kernel && unit(star.kernel);
  if (along) closest = shortest.map((v, i) => v + dot(w0, along) * along[i]);
  const u = isZero(hat.num) ? null : unit(hat.num);
  return { sums, star, hat, slope, intercept: a, shortest, closest, along, u };
}

// Everything the page shows of a state.
function analyse(given) {
  const x = given.x.map(row => row.map(tidy)), t = given.t.map(tidy), w0 = given.w0.map(tidy);
  const found = optima(x, t, w0), { sums, star, hat, closest, u, slope, intercept } = found;
  const shape = structure(star, hat), { kind, relation, theorem } = shape;
  const sign = signs(star, hat, sums.covariance, w0.map(whole));
  const exists = kind === "everywhere" ? sign.defined : kind !== "nowhere" && sign.toward > 0n;
  const right = isZero(closest) ? dot(w0, w0) : cross(closest, w0) ** 2 / dot(closest, closest);
  let left = kind === "nowhere" ? null : leftSide(kind, u, w0, exists);
  if (kind === "ray" && relation === "same" && sign.applies) left = right; // one distance
  const infimum = kind === "nowhere" || !sign.applies ? null
    : theorem ? "true" : compare(left, right, w0, closest, u, kind);
  const verdict = kind === "nowhere" ? "void" : !sign.applies ? "does not apply"
    : !exists ? "none closest" : infimum;
  const flat = { same: 0, opposite: Math.PI };
  const theta = kind !== "ray" || relation === "zero" ? null
    : flat[relation] ?? Math.atan2(Math.abs(cross(closest, u)), dot(closest, u));
  const end = flow(kind, sign, u, w0), fit = (w, b) => x.map(row => dot(row, w) + b);
  return {
    x, t, w0, ...shape, theta, left, right, verdict, infimum, exists, u, flow: end,
    applies: sign.applies, star: closest, shortest: found.shortest, along: found.along,
    slope, intercept, shares: shares(theta, theorem),
    sectors: theta ? sectors(closest, theta, Math.sign(cross(closest, u)) || 1) : null,
    reached: end.end && length([w0[0] - end.end[0], w0[1] - end.end[1]]) ** 2,
    fits: { origin: fit(closest, 0), intercept: fit(slope, intercept) },
    centred: isZero(sums.mean), noIntercept: sums.target * hat.den === dot(sums.mean, hat.num),
  };
}

// What the page says of a state.
const VERDICTS = {
  void: ["Void", "Batch norm divides by zero for every w."],
  "does not apply": ["Does not apply", "The lemma speaks of starts with ⟨W₀, W*⟩ > 0 only."],
  "none closest": ["No BN optimum is closest", "They come nearer to W₀ without end. " +
    "Read strictly, the lemma says nothing; with the infimum as left side it is "],
  undecided: ["Undecided", "Rounding cannot tell the two sides apart."],
  false: ["False", "The closest BN optimum is farther from W₀ than the lemma promises."],
  true: ["True", "The closest BN optimum is at least as near to W₀ as the lemma promises."],
};

function explain(r) {
  const [word, sentence] = VERDICTS[r.verdict], ray = r.kind === "ray", half = r.kind === "half-plane";
  const why = r.centred ? "The inputs are centred" : r.noIntercept ? "The intercept is 0"
    : "The mean of the inputs is parallel to c";
  const notes = [
    [r.kind === "nowhere", "The three inputs are equal: the outputs do not vary."],
    [r.kind === "everywhere", "c = 0: inputs and targets are uncorrelated. " +
      "Every w where the BN loss is defined is a weak minimum: no ray, and the left side is 0."],
    [r.bias, "The inputs lie on a line that misses 0: a combination of them is a bias. " +
      "W* lies in the half-plane of BN optima: the lemma is true."],
    [r.along, "The inputs lie on a line through 0: the dashed line fits equally well, W* is its closest point."],
    [half && !r.bias, "The BN optima are a half-plane, and the shortest standard optimum " +
      (r.theorem ? "does not point away from it: the lemma is true." : "points away from it.")],
    [ray && r.relation === "zero", "W* = 0: ⟨W₀, W*⟩ > 0 for no start."],
    [r.theta === Math.PI, "W* points exactly away from the BN ray: where the lemma applies, no BN optimum is closest."],
    [r.theta === 0, `${why}, so W* lies on the BN ray, and both sides are one distance.`],
    [r.flow.why === "maximum", "W₀ lies opposite to the BN optima, where the gradient is 0."],
  ];
  return { word, sentence: sentence + (r.verdict === "none closest" ? `${r.infimum}.` : ""),
    notes: notes.filter(([when]) => when).map(([, each]) => each) };
}

// A set of halves, the same for the same seed (a linear congruential generator).
function randomState(seed) {
  let now = Math.imul(seed, 0x9e3779b1);
  const half = reach => {
    now = (Math.imul(now, 1664525) + 1013904223) >>> 0;
    return Math.floor((now / 2 ** 32) * (4 * reach + 1)) / 2 - reach;
  };
  const pair = reach => [half(reach), half(reach)];
  return { x: [pair(3), pair(3), pair(3)], t: [half(5), half(5), half(5)], w0: pair(4) };
}

const THREE = [[1, 0], [0, 1], [1, 1]];
const PRESETS = [
  ["the counterexample", THREE, [2, 0, 5], [3, 1]],
  ["intercept zero", THREE, [5, 3, 8], [3, 1]],
  ["centred inputs", [[1, 0], [0, 1], [-1, -1]], [2, 0, 5], [1, -3]],
  ["a constant input", [[0, 1], [1, 1], [2, 1]], [2, 0, 5], [2, -1]],
  ["no ray: c = 0", THREE, [2, 2, 2], [3, 1]],
  ["no ray: three equal inputs", [[1, 2], [1, 2], [1, 2]], [2, 0, 5], [3, 1]],
  ["inputs on a line through 0", [[1, 1], [2, 2], [-1, -1]], [2, 3, 1], [2, 0]],
  ["no BN optimum is closest", THREE, [2, 0, 5], [2, -4]],
  ["W* opposite to the ray", THREE, [3, 3, 2], [1, 2]],
].map(([name, x, t, w0]) => ({ name, state: { x, t, w0 } }));

function encode({ x, t, w0 }) {
  return `explorer=${[...x.flat(), ...t, ...w0].map(tidy).join(",")}`;
}

function decode(text) {
  const [, numbers = ""] = /explorer=([-+.,\de]+)/.exec(text.replaceAll("%2C", ",")) || [];
  const values = numbers.split(",").map(each => (each ? Number(each) : NaN));
  if (values.length !== 11 || !values.every(v => Math.abs(v) <= LIMIT)) return null;
  const v = values.map(tidy);
  return { x: [v.slice(0, 2), v.slice(2, 4), v.slice(4, 6)], t: v.slice(6, 9), w0: v.slice(9) };
}

const names = { analyse, explain, randomState, encode, decode, PRESETS, dot, cross, length };
if (typeof module !== "undefined") module.exports = names;
else Object.assign(root.bnExplorer ??= {}, names);
})(typeof window === "undefined" ? globalThis : window);
