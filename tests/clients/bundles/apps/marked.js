import { Marked, lexer, marked } from "marked";

const TEXT = `# A title\n\nSome *emphasis*, **weight**, \`code\` and [a link](https://a.example "title").\n\n> a quote\n> of two lines\n\n1. one\n2. two\n   - nested\n   - [x] done\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n\n\`\`\`js\nconst a = "<b>";\n\`\`\`\n\n<div>html</div>\n\n---\n\nhttps://auto.example and ~~gone~~  \nbroken line\n`;
const own = new Marked({ gfm: true, breaks: true, renderer: { heading({ tokens, depth }) { return `<h${depth} class="own">${this.parser.parseInline(tokens)}</h${depth}>`; } }, async: true, walkTokens: async (token) => { if (token.type === "link") token.href += "?walked"; } });

export default {
  async fetch(request) {
    const path = new URL(request.url).pathname;
    if (path === "/own") return new Response(await own.parse(TEXT));
    if (path === "/tokens") return Response.json(lexer(TEXT));
    if (path === "/long") return new Response(marked.parse(TEXT.repeat(20)));
    return new Response(marked.parse(TEXT), { headers: { "content-type": "text/html" } });
  },
};

export const asks = [["/"], ["/own"], ["/tokens"], ["/long"]];
