/** Reads the project's Markdown: links, headings, fenced blocks. Enough for our own files, no more. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../..");

interface Block {
  /** Language after the fence: "ts", "sh", ... */
  readonly language: string;
  readonly text: string;
  /** Line of the fence, from 1. */
  readonly line: number;
}

interface Link {
  readonly target: string;
  readonly line: number;
}

export interface Page {
  /** Relative to the project, for example "docs/data.md". */
  readonly path: string;
  readonly text: string;
  readonly links: readonly Link[];
  /** Anchors of the headings, as GitHub makes them. */
  readonly anchors: ReadonlySet<string>;
  readonly blocks: readonly Block[];
}

/** Every page that a user reads. */
export function readPages(): Page[] {
  const docs = readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(root, "docs", name));
  const others = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "fixtures/README.md",
    "notebooks/README.md",
  ].map((name) => join(root, name));
  return [...others.filter((path) => existsSync(path)), ...docs].map((path) =>
    readPage(relative(root, path), readFileSync(path, "utf8")),
  );
}

export function readPage(path: string, text: string): Page {
  const links: Link[] = [];
  const anchors = new Set<string>();
  const counts = new Map<string, number>();
  const blocks: Block[] = [];
  let open: { language: string; fence: string; line: number; lines: string[] } | undefined;
  text.split("\n").forEach((content, i) => {
    const line = i + 1;
    const fence = /^\s*(`{3,})\s*([\w-]*)/.exec(content);
    if (open !== undefined) {
      if (fence !== null && fence[1].length >= open.fence.length && fence[2] === "") {
        blocks.push({ language: open.language, text: open.lines.join("\n"), line: open.line });
        open = undefined;
      } else open.lines.push(content);
      return;
    }
    if (fence !== null) {
      open = { language: fence[2], fence: fence[1], line, lines: [] };
      return;
    }
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(content);
    if (heading !== null) {
      const slug = slugOf(heading[1]);
      const seen = counts.get(slug) ?? 0;
      counts.set(slug, seen + 1);
      anchors.add(seen === 0 ? slug : `${slug}-${seen}`);
    }
    const prose = content.replace(/`[^`]*`/g, (code) => " ".repeat(code.length));
    for (const match of prose.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g))
      links.push({ target: match[1], line });
    for (const match of prose.matchAll(/^\[[^\]]+\]:\s*(\S+)/g)) links.push({ target: match[1], line });
    for (const match of prose.matchAll(/(?:src|href)="([^"]+)"/g)) links.push({ target: match[1], line });
  });
  if (open !== undefined) throw new Error(`${path}:${open.line}: a fence is opened and never closed`);
  return { path, text, links, anchors, blocks };
}

/** The anchor GitHub makes from a heading: letters, digits, "-" and "_" stay, spaces become "-". */
export function slugOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");
}
