/**
 * The part of a browser that the page uses. Written down here, because the DOM types of TypeScript would become
 * visible to the whole project, where no `document` exists.
 */

interface PageEvent {
  readonly type: string;
  readonly target: PageElement | null;
  preventDefault(): void;
}

export interface PageElement {
  id: string;
  readonly tagName: string;
  textContent: string | null;
  value: string;
  checked: boolean;
  open: boolean;
  href: string;
  download: string;
  hidden: boolean;
  scrollTop: number;
  readonly scrollLeft: number;
  readonly scrollWidth: number;
  readonly scrollHeight: number;
  readonly clientWidth: number;
  readonly clientHeight: number;
  readonly parentElement: PageElement | null;
  readonly dataset: Record<string, string | undefined>;
  readonly style: Record<string, string>;
  readonly classList: {
    add(name: string): void;
    toggle(name: string, force?: boolean): void;
    contains(name: string): boolean;
  };
  readonly rows: ArrayLike<PageElement>;
  readonly cells: ArrayLike<PageElement>;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  querySelector(selector: string): PageElement | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
  closest(selector: string): PageElement | null;
  addEventListener(type: string, listener: (event: PageEvent) => void): void;
  append(child: PageElement): void;
  remove(): void;
  click(): void;
  select(): void;
  scrollIntoView(): void;
}

interface PageDocument {
  readonly documentElement: PageElement;
  readonly body: PageElement;
  createElement(name: string): PageElement;
  getElementById(id: string): PageElement | null;
  querySelector(selector: string): PageElement | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
  addEventListener(type: string, listener: (event: PageEvent) => void): void;
  execCommand(name: string): boolean;
}

/** A figure for Plotly. Colours are names of CSS properties ("--accent") until the page resolves them. */
export interface Figure {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly layout: Readonly<Record<string, unknown>>;
}

interface PlotlyLibrary {
  react(element: PageElement, data: unknown, layout: unknown, config: unknown): Promise<unknown>;
  /** The figure as a picture: a data URL. */
  toImage(figure: unknown, options: unknown): Promise<string>;
}

export interface PageWindow {
  readonly document: PageDocument;
  /** Undefined until it is unpacked. */
  readonly Plotly?: PlotlyLibrary;
  readonly DecompressionStream: new (format: string) => unknown;
  readonly Response: new (body: unknown) => { text(): Promise<string> };
  readonly navigator: { readonly clipboard?: { writeText(text: string): Promise<void> } };
  readonly URL: { createObjectURL(blob: unknown): string; revokeObjectURL(url: string): void };
  readonly Blob: new (
    parts: readonly (string | Uint8Array)[],
    options: { type: string },
  ) => { stream(): { pipeThrough(through: unknown): unknown } };
  readonly location: { readonly hash: string };
  readonly history: { replaceState(state: null, title: string, url: string): void };
  getComputedStyle(element: PageElement): { getPropertyValue(name: string): string };
  matchMedia(query: string): {
    readonly matches: boolean;
    addEventListener(type: string, listener: () => void): void;
  };
  setTimeout(work: () => void, ms: number): number;
  requestAnimationFrame(work: () => void): number;
  addEventListener(type: string, listener: (event: PageEvent) => void): void;
}
