/** Data stays data: how text enters HTML, plot labels, scripts and spreadsheets. */

/** HTML that is safe to insert as it is. Only {@link html} and {@link raw} make one. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

/** What a template accepts: text and numbers are escaped, markup is not, lists are joined, nothing is left out. */
export type Insert = string | number | Markup | undefined | readonly Insert[];

/** Escapes text for an HTML element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** Marks text written by us as HTML. Never call it on anything from a record. */
export function raw(text: string): Markup {
  return new Markup(text);
}

/** Template tag: everything inserted is escaped, unless it is markup already. Indentation of the template is dropped. */
export function html(strings: TemplateStringsArray, ...values: readonly Insert[]): Markup {
  let text = dense(strings[0]);
  values.forEach((value, index) => {
    text += insert(value) + dense(strings[index + 1]);
  });
  return new Markup(text);
}

function dense(template: string): string {
  return template.replace(/\n\s+/g, "\n");
}

function insert(value: Insert): string {
  if (value === undefined) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "string") return escapeHtml(value);
  if (typeof value === "number") return String(value);
  return value.map(insert).join("");
}

/**
 * Escapes text for Plotly, whose labels read a little HTML (`<b>`, `<a href>`) and, in hover templates, `%{...}`.
 * The entities are turned back into letters when the label is drawn.
 */
export function plotText(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("%{", "%\u200b{");
}

/** {@link plotText}, cut in the middle to at most `length` letters, so that a long name does not eat the plot. */
export function plotLabel(text: string, length = 24): string {
  if (text.length <= length) return plotText(text);
  const half = Math.floor((length - 1) / 2);
  return plotText(`${text.slice(0, length - 1 - half)}…${text.slice(text.length - half)}`);
}

/** JSON that can stand inside a `<script type="application/json">`: no `<` can close the element or open a comment. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll("<", "\\u003c")
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029");
}

/**
 * Program text that can stand inside a `<script>`: `</script` and `<!--` only ever occur in its strings, patterns and
 * comments, where the escaped form means the same. Line ends are normalised as the HTML parser does, so that a
 * hash of the result is the hash the browser computes.
 */
export function scriptSource(source: string): string {
  return source
    .replace(/\r\n?/g, "\n")
    .replace(/<\/(script)/gi, "<\\/$1")
    .replaceAll("<!--", "\\x3C!--");
}
