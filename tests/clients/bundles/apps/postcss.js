import postcss from "postcss";

const CSS = ":root { --main: #06c; }\n.a, .b > .c::before { color: var(--main); content: \"\\201C\"; margin: 0 1px }\n@media (min-width: 10em) { .a { display: flex; & .d { gap: 2px } } }\n/* a comment */\n@import url(\"x.css\") layer(base);\n";
const plugin = { postcssPlugin: "pixels", Declaration(node) { if (node.value.includes("px") && !node.done) { node.value = node.value.replace(/(\d+)px/g, (_, number) => `${number / 16}rem`); node.done = true; } }, AtRule: { media(rule) { rule.params = rule.params.toUpperCase(); } } };

export default {
  async fetch(request) {
    const path = new URL(request.url).pathname;
    try {
      const result = await postcss([plugin]).process(path === "/broken" ? ".a { color: red" : CSS, { from: "a.css", to: "b.css", map: path === "/map" ? { inline: false } : false });
      return Response.json({ css: result.css, warnings: result.warnings().length, map: result.map?.toString() ?? null });
    } catch (error) {
      return Response.json({ name: error.name, reason: error.reason, line: error.line, column: error.column });
    }
  },
};

export const asks = [["/"], ["/broken"]];
