// HTMLRewriter: changes a page while it goes by.

type HTMLContent = string;

interface ContentOptions {
  /** Whether the content is HTML; otherwise it is text, and shown as it is written. */
  html?: boolean;
}

interface HTMLRewriterElement {
  tagName: string;
  readonly namespaceURI: string;
  readonly removed: boolean;
  readonly attributes: IterableIterator<[string, string]>;
  getAttribute(name: string): string | null;
  hasAttribute(name: string): boolean;
  setAttribute(name: string, value: string): this;
  removeAttribute(name: string): this;
  before(content: HTMLContent, options?: ContentOptions): this;
  after(content: HTMLContent, options?: ContentOptions): this;
  prepend(content: HTMLContent, options?: ContentOptions): this;
  append(content: HTMLContent, options?: ContentOptions): this;
  replace(content: HTMLContent, options?: ContentOptions): this;
  setInnerContent(content: HTMLContent, options?: ContentOptions): this;
  remove(): this;
  removeAndKeepContent(): this;
  onEndTag(handler: (tag: HTMLRewriterEndTag) => void | Promise<void>): void;
}

interface HTMLRewriterEndTag {
  name: string;
  before(content: HTMLContent, options?: ContentOptions): this;
  after(content: HTMLContent, options?: ContentOptions): this;
  remove(): this;
}

interface HTMLRewriterComment {
  text: string;
  readonly removed: boolean;
  before(content: HTMLContent, options?: ContentOptions): this;
  after(content: HTMLContent, options?: ContentOptions): this;
  replace(content: HTMLContent, options?: ContentOptions): this;
  remove(): this;
}

interface HTMLRewriterText {
  readonly text: string;
  readonly lastInTextNode: boolean;
  readonly removed: boolean;
  before(content: HTMLContent, options?: ContentOptions): this;
  after(content: HTMLContent, options?: ContentOptions): this;
  replace(content: HTMLContent, options?: ContentOptions): this;
  remove(): this;
}

interface HTMLRewriterDoctype {
  readonly name: string | null;
  readonly publicId: string | null;
  readonly systemId: string | null;
}

interface HTMLRewriterDocumentEnd {
  append(content: HTMLContent, options?: ContentOptions): this;
}

interface HTMLRewriterElementContentHandlers {
  element?(element: HTMLRewriterElement): void | Promise<void>;
  comments?(comment: HTMLRewriterComment): void | Promise<void>;
  text?(text: HTMLRewriterText): void | Promise<void>;
}

interface HTMLRewriterDocumentContentHandlers {
  doctype?(doctype: HTMLRewriterDoctype): void | Promise<void>;
  comments?(comment: HTMLRewriterComment): void | Promise<void>;
  text?(text: HTMLRewriterText): void | Promise<void>;
  end?(end: HTMLRewriterDocumentEnd): void | Promise<void>;
}

declare class HTMLRewriter {
  constructor();
  on(selector: string, handlers: HTMLRewriterElementContentHandlers): this;
  onDocument(handlers: HTMLRewriterDocumentContentHandlers): this;
  transform(response: Response): Response;
}
