/** The page as text, and its style. */
import { places } from "./places.ts";

/** What a page says of its model. */
export interface PageFacts {
  readonly title: string;
  /** Sentences under the title. */
  readonly facts: readonly string[];
  /** Why the answers should not be trusted. */
  readonly warning?: string | undefined;
}

/** Nothing but the page's own files is loaded, run or asked for; a browser holds it to that. */
export const contentPolicy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "connect-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "media-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** By this a page is known that was not written to its end. */
export const pageMark = '<meta name="generator" content="etl-prune">';

/** `index.html`. */
export function pageHtml({ title, facts, warning }: PageFacts): string {
  const lines = facts.map((fact) => `<li>${escaped(fact)}</li>`).join("");
  const caution = warning === undefined ? "" : `<p class="warning">${escaped(warning)}.</p>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
${pageMark}
<meta name="referrer" content="no-referrer">
<title>${escaped(title)}</title>
<link rel="icon" href="icon.svg">
<link rel="stylesheet" href="style.css">
<header>
<h1>${escaped(title)}</h1>
${caution}
</header>
<main>
<section id="drop" aria-label="Choose a picture">
<input type="file" id="file" accept="image/*" aria-describedby="private"><label for="file">Choose a photograph</label>
<button type="button" id="camera" aria-pressed="false">Use the camera</button>
<button type="button" id="turn" hidden>Other camera</button>
<p id="private">Or drop a picture anywhere on the page, or paste one. It stays on this device: the network runs here.</p>
</section>
<p id="status" role="status" aria-live="polite">Loading the networks …</p>
<figure id="stage" hidden><canvas id="view" role="img" aria-label="The picture"></canvas></figure>
<ol id="faces" aria-label="Faces, the largest first"></ol>
<video id="video" muted playsinline hidden></video>
</main>
<footer>
<ul>${lines}</ul>
<p><a href="LICENSES.txt">Licences</a></p>
</footer>
<script type="module" src="${places.code}web/page.js"></script>
</html>
`;
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** `icon.svg`, so that no browser asks for another. */
export const pageIcon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#1f5fa8"/><circle cx="8" cy="8" r="4.5" fill="#ffd43b"/></svg>\n';

/** `style.css`. */
export const pageStyle = `:root {
  color-scheme: light dark;
  --text: #1b1f24;
  --quiet: #55606b;
  --ground: #ffffff;
  --raised: #f1f4f7;
  --line: #8a949e;
  --accent: #1f5fa8;
  --on-accent: #ffffff;
  --warn: #8a4b00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e8ebee;
    --quiet: #a9b3bd;
    --ground: #14181c;
    --raised: #20262c;
    --line: #6d7883;
    --accent: #8ec1ff;
    --on-accent: #0b1a2b;
    --warn: #ffb65c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto;
  padding: 1rem;
  max-width: 60rem;
  font: 1rem/1.5 system-ui, sans-serif;
  color: var(--text);
  background: var(--ground);
}
h1 { margin: 0 0 0.5rem; font-size: 1.5rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 1rem; }
.warning { margin: 0 0 0.75rem; color: var(--warn); font-weight: 600; }
#drop { padding: 1rem; border: 2px dashed var(--line); border-radius: 0.75rem; background: var(--raised); }
#drop.over { border-color: var(--accent); border-style: solid; }
#drop p { margin: 0.75rem 0 0; color: var(--quiet); }
#file { position: absolute; opacity: 0; width: 1px; height: 1px; }
label, button {
  display: inline-block;
  min-height: 2.75rem;
  margin: 0 0.5rem 0.5rem 0;
  padding: 0.6rem 1rem;
  border: 1px solid var(--accent);
  border-radius: 0.5rem;
  font: inherit;
  font-weight: 600;
  line-height: 1.5rem;
  cursor: pointer;
}
label, button[aria-pressed="true"] { background: var(--accent); color: var(--on-accent); }
button { background: transparent; color: var(--accent); }
#file:focus-visible + label, button:focus-visible { outline: 3px solid var(--text); outline-offset: 2px; }
[hidden] { display: none; }
figure { margin: 0 0 1rem; }
#view { display: block; max-width: 100%; max-height: 70vh; height: auto; margin: 0 auto; border-radius: 0.5rem; }
#faces { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); gap: 0.75rem; margin: 0; padding: 0; list-style: none; }
#faces li { display: flex; gap: 0.75rem; padding: 0.75rem; border-radius: 0.5rem; background: var(--raised); }
#faces canvas { flex: none; width: 5.5rem; height: 5.5rem; border-radius: 0.25rem; }
#faces div { flex: 1; min-width: 0; }
dl { display: grid; grid-template-columns: fit-content(60%) 1fr; gap: 0 0.75rem; margin: 0.25rem 0 0; }
dt { overflow-wrap: anywhere; }
dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
meter { display: block; width: 5rem; height: 0.6rem; margin-left: auto; }
footer { margin-top: 1.5rem; border-top: 1px solid var(--line); color: var(--quiet); font-size: 0.9rem; }
footer ul { padding-left: 1.2rem; }
a { color: var(--accent); }
`;
