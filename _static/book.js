// Wide equations scroll in their own box; the box must then be reachable by keyboard.
// A command that names the book gets its address, which only the page that is read knows.
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
  function fill() {
    const root = document.documentElement.dataset.content_root;
    const book = new URL(root, location.href).href.replace(/\/$/, "");
    for (const code of document.querySelectorAll(".run-it pre")) {
      const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
      while (texts.nextNode())
        texts.currentNode.data = texts.currentNode.data.replaceAll("BOOK/run/", book + "/run/");
    }
    for (const said of document.querySelectorAll(".without-address")) said.hidden = true;
  }
  function start() {
    fill();
    const typeset = window.MathJax && window.MathJax.startup && window.MathJax.startup.promise;
    Promise.resolve(typeset).then(mark);
    window.addEventListener("resize", mark);
    const typesets = new ResizeObserver(mark); // later, when they come near the screen
    for (const each of document.querySelectorAll("div.math")) typesets.observe(each);
  }
  // What the search shows of a page has its text, its formulas in words, not its code.
  function reword() {
    if (typeof Search === "undefined") return;
    const textOf = Search.htmlToText;
    Search.htmlToText = (html, anchor) => {
      const page = new DOMParser().parseFromString(html, "text/html");
      for (const each of page.querySelectorAll(".math"))
        each.textContent = each.dataset.words || " … ";
      for (const each of page.querySelectorAll(".highlight, summary")) each.remove();
      page.querySelector("main")?.replaceChildren(page.querySelector(".bd-article"));
      return textOf(page.documentElement.outerHTML, anchor);
    };
  }
  document.addEventListener("DOMContentLoaded", reword); // before the search itself
  if (document.readyState === "complete") start();
  else window.addEventListener("load", start);
})();
