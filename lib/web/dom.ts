/**
 * The part of a browser that the page uses. Written down here, because the DOM types of TypeScript would become
 * visible to the whole project, where no `document` exists.
 */

export interface WorkerScope {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown): void;
}

interface PageWorker {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { readonly message?: string }) => void) | null;
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
}

/** A file, or a picture that was pasted or dropped. */
export interface PageFile {
  readonly name: string;
  readonly type: string;
}

interface PageEvent {
  readonly key?: string;
  readonly dataTransfer?: { readonly files: ArrayLike<PageFile> } | null;
  readonly clipboardData?: { readonly files: ArrayLike<PageFile> } | null;
  preventDefault(): void;
}

interface Drawing {
  fillStyle: string;
  strokeStyle: string;
  lineWidth: number;
  font: string;
  textBaseline: string;
  fillRect(x: number, y: number, width: number, height: number): void;
  strokeRect(x: number, y: number, width: number, height: number): void;
  fillText(text: string, x: number, y: number): void;
  measureText(text: string): { readonly width: number };
  drawImage(source: unknown, x: number, y: number, width: number, height: number): void;
  getImageData(
    x: number,
    y: number,
    width: number,
    height: number,
  ): { readonly data: { readonly buffer: ArrayBuffer } };
  putImageData(data: PageImageData, x: number, y: number): void;
}

interface PageImageData {
  readonly data: Uint8ClampedArray;
}

export interface WebElement {
  textContent: string | null;
  className: string;
  hidden: boolean;
  disabled: boolean;
  value: string | number;
  width: number;
  height: number;
  readonly files: ArrayLike<PageFile> | null;
  /** Of a video. */
  srcObject: MediaSource | null;
  readonly videoWidth: number;
  readonly videoHeight: number;
  play(): Promise<void>;
  /** Of a canvas. */
  getContext(kind: "2d", options?: { readonly willReadFrequently?: boolean }): Drawing | null;
  readonly classList: { toggle(name: string, force?: boolean): void };
  setAttribute(name: string, value: string): void;
  addEventListener(type: string, listener: (event: PageEvent) => void): void;
  append(...children: readonly WebElement[]): void;
  replaceChildren(...children: readonly WebElement[]): void;
}

export interface MediaSource {
  getTracks(): readonly { stop(): void }[];
}

/** A decoded picture, turned as its EXIF tag says. */
interface PageBitmap {
  readonly width: number;
  readonly height: number;
  close(): void;
}

export interface WebWindow {
  readonly document: {
    readonly baseURI: string;
    readonly body: WebElement;
    createElement(name: string): WebElement;
    getElementById(id: string): WebElement | null;
    addEventListener(type: string, listener: (event: PageEvent) => void): void;
  };
  readonly navigator: {
    readonly mediaDevices?: {
      getUserMedia(wanted: unknown): Promise<MediaSource>;
    };
  };
  readonly Worker: new (url: URL, options: { readonly type: "module" }) => PageWorker;
  readonly ImageData: new (width: number, height: number) => PageImageData;
  createImageBitmap(source: PageFile): Promise<PageBitmap>;
  requestAnimationFrame(work: () => void): void;
}
