// Wide equations scroll in their own box; the box must then be reachable by keyboard.
// A frame around the browser's own work: nothing here is needed to read the book.
"use strict";
(function () {
  // Paper is white, and a reader cannot unfold what is folded there.
  const root = document.documentElement;
  let theme, folded;
  window.addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    folded = document.querySelectorAll(".bd-article details:not(.hide, [open])");
    for (const each of folded) each.open = true;
  });
  window.addEventListener("afterprint", () => {
    root.dataset.theme = theme;
    for (const each of folded) each.open = false;
  });
  function mark() {
    const boxes = "mjx-container[display='true'], div.highlight pre, div.cell_output .output";
    for (const box of document.querySelectorAll(boxes)) {
      const wide = box.scrollWidth > box.clientWidth + 1;
      if (wide) box.setAttribute("tabindex", "0");
      else if (box.getAttribute("tabindex") === "0") box.removeAttribute("tabindex");
    }
  }
  function start() {
    const typeset = window.MathJax && window.MathJax.startup && window.MathJax.startup.promise;
    Promise.resolve(typeset).then(mark);
    window.addEventListener("resize", mark);
  }
  if (document.readyState === "complete") start();
  else window.addEventListener("load", start);
})();
