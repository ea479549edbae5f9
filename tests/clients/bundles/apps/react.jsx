import { Suspense, createContext, use, useContext, useId, useMemo, useState } from "react";
import { renderToReadableStream, renderToStaticMarkup, renderToString } from "react-dom/server.edge";

const Theme = createContext("light");
const later = (value) => new Promise((done) => setTimeout(() => done(value), 2));

function Slow({ promise }) { return <strong>{use(promise)}</strong>; }
function Item({ index }) {
  const [count] = useState(index * 2);
  const text = useMemo(() => `item ${index} & <${count}>`, [index, count]);
  return <li className={useContext(Theme)} style={{ paddingTop: index, backgroundColor: "red" }} data-index={index}>{text}</li>;
}
function Page({ path, promise }) {
  return (
    <html lang="en">
      <head><title>{`Page ${path}`}</title></head>
      <body>
        <Theme.Provider value="dark"><ul>{Array.from({ length: 50 }, (_, index) => <Item key={index} index={index} />)}</ul></Theme.Provider>
        <label htmlFor={useId()}>{"a label"}</label>
        <input type="checkbox" defaultChecked disabled />
        <div dangerouslySetInnerHTML={{ __html: "<i>raw</i>" }} />
        {promise && <Suspense fallback={<em>waiting</em>}><Slow promise={promise} /></Suspense>}
      </body>
    </html>
  );
}

export default {
  async fetch(request) {
    const path = new URL(request.url).pathname;
    const headers = { "content-type": "text/html" };
    if (path === "/string") return new Response(renderToString(<Page path={path} />), { headers });
    if (path === "/static") return new Response(renderToStaticMarkup(<Page path={path} />), { headers });
    if (path === "/error") {
      const seen = [];
      function Breaks() { throw new Error("in a component"); }
      const stream = await renderToReadableStream(<div><Suspense fallback="fallback"><Breaks /></Suspense></div>, { onError: (error) => { seen.push(error.message); } });
      await stream.allReady;
      const text = await new Response(stream).text();
      return Response.json({ seen, fallback: text.includes("fallback") });
    }
    const stream = await renderToReadableStream(<Page path={path} promise={later("came later")} />, { bootstrapScripts: ["/main.js"], onError: (error) => console.error(error) });
    if (path === "/ready") await stream.allReady;
    return new Response(stream, { headers });
  },
};

export const asks = [["/string"], ["/static"], ["/stream"], ["/ready"], ["/error"]];
