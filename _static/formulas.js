// A formula is typeset when it comes near the screen, all of them before the page is printed.
// MathJax comes after the first paint, and it typesets a few at a time: until it reaches them
// formulas stand there in words, and the page answers its reader.
"use strict";
(function () {
  const FEW = 6;
  const here = document.currentScript.src;
  const left = new Set(document.querySelectorAll(".math"));
  const near = new Set();
  let running = false;

  const typeset = (some, how = "typesetPromise") => {
    for (const each of some) {
      left.delete(each);
      near.delete(each);
      watcher.unobserve(each);
    }
    return window.MathJax[how](some.filter((each) => each.isConnected));
  };
  // Without its fonts a formula has another height: these are there before the first one is.
  async function prepare() {
    window.MathJax.startup.document.addStyleSheet();
    const fonts = ["MJXZERO", "MJXTEX", "MJXTEX-I"].map((name) => `1em ${name}`);
    await Promise.allSettled(fonts.map((each) => document.fonts.load(each)));
  }
  const ready = new Promise((done) => {
    window.MathJax.startup = { typeset: false, pageReady: () => prepare().then(done) };
  });

  async function run() {
    if (running) return;
    running = true;
    await ready;
    try {
      while (near.size) {
        await new Promise((done) => setTimeout(done));
        await typeset([...near].slice(0, FEW));
      }
    } finally {
      running = false;
    }
  }
  const watcher = new IntersectionObserver(
    (seen) => {
      for (const { isIntersecting, target } of seen)
        if (isIntersecting) near.add(target);
        else near.delete(target);
      run();
    },
    { rootMargin: "50% 0px" },
  );
  left.forEach((each) => watcher.observe(each));

  window.bnFormulas = async () => {
    await ready;
    await typeset([...left]);
  };
  window.addEventListener("beforeprint", () => {
    if (window.MathJax.typeset) typeset([...left], "typeset"); // at once: nothing waits for it
  });

  function load() {
    const script = document.createElement("script");
    script.src = new URL("mathjax/startup.js", here);
    document.head.append(script);
  }
  if (!PerformanceObserver.supportedEntryTypes.includes("paint")) load();
  else
    new PerformanceObserver((_, painted) => {
      painted.disconnect();
      setTimeout(load);
    }).observe({ type: "paint", buffered: true });
})();
