// Typesets formulas with MathJax, outside of a browser: reads the folder of MathJax, its settings
// and the formulas from standard input, writes their HTML and the style sheet to standard output.
"use strict";
const { folder, fonts, tex, formulas } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const parts = ["adaptors/liteDOM", "input/tex", "output/chtml", "a11y/assistive-mml"];

require(`${folder}/node-main.js`)
  .init({
    loader: { load: parts, paths: { mathjax: folder }, require, versionWarnings: false },
    startup: { typeset: false },
    tex,
    chtml: { fontURL: fonts, adaptiveCSS: false },
  })
  .then((MathJax) => {
    const { adaptor } = MathJax.startup;
    const html = formulas.map(([text, display]) =>
      adaptor.outerHTML(MathJax.tex2chtml(text, { display })),
    );
    const css = adaptor.textContent(MathJax.chtmlStylesheet());
    process.stdout.write(JSON.stringify({ html, css }));
  })
  .catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
