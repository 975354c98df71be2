/** Parts of a record that `sample.ts` leaves out: groups of test faces, and faces of filters (drawn ones). */
import type {
  FilterFaces,
  GroupRecord,
  ModelRecord,
  ResponseRecord,
  RunRecord,
} from "../../lib/record/record.ts";
import { findings } from "../../lib/report/sections/findings.ts";
import { sampleRecord } from "./sample.ts";
import { thumbnail } from "../../lib/data/images/decode.ts";
import { drawNamed } from "../../lib/data/synthetic/table.ts";

/** Accuracy by age, where the old are seen worse, and by glasses, where nothing differs. */
export function sampleGroups(models: readonly string[]): GroupRecord[] {
  const group = (column: string, label: string, n: number, accuracy: number): GroupRecord => ({
    column,
    label,
    n,
    accuracy: Object.fromEntries(models.map((name, i) => [name, accuracy - 0.005 * i])),
  });
  return [
    group("glasses", "no", 1100, 0.971),
    group("glasses", "yes", 150, 0.973),
    group("age", "1 to 19", 240, 0.97),
    group("age", "20 to 39", 640, 0.992),
    group("age", "40 to 90", 370, 0.93),
  ];
}

/** A record with groups. */
export function withGroups(record: RunRecord): RunRecord {
  return { ...record, groups: sampleGroups(record.models.map(({ name }) => name)) };
}

/** The strongest and the weakest drawn faces of two filters. */
export async function sampleFaces(): Promise<FilterFaces[]> {
  const size = { width: 80, height: 80 };
  const face = async (index: number, response: number) => {
    const pixels = drawNamed(`face-${String(index).padStart(6, "0")}`, [0, 0, 1, 1], size);
    const webp = Buffer.from(await thumbnail(pixels, size, 64)).toString("base64");
    return { response, label: ["female", "male"][index % 2], webp };
  };
  const filters = [3, 17].map(async (filter) => ({
    tap: "conv.relu",
    layer: "conv",
    filter,
    correlation: 0.4,
    n: 200,
    highest: await Promise.all(Array.from({ length: 8 }, (_, i) => face(i + filter, 3 - 0.2 * i))),
    lowest: await Promise.all(Array.from({ length: 4 }, (_, i) => face(20 + i + filter, -1.6 - 0.1 * i))),
  }));
  return Promise.all(filters);
}

/** How one filter responds to the two classes. */
export const sampleResponse: ResponseRecord = {
  tap: "conv.relu",
  layer: "conv",
  filter: 3,
  correlation: 0.5,
  mean: 2,
  sd: 4,
  points: [
    { label: "female", mean: 0, error: 0.4, n: 100 },
    { label: "male", mean: 4, error: 0.4, n: 100 },
  ],
};

/** The sample with other numbers in its pruned network and its baseline. */
export function changed(
  pruned: Partial<ModelRecord>,
  baseline: Partial<ModelRecord> = {},
  record = sampleRecord(),
): RunRecord {
  const others: Partial<Record<string, Partial<ModelRecord>>> = { pruned, baseline };
  return { ...record, models: record.models.map((model) => ({ ...model, ...others[model.name] })) };
}

/** Everything that the findings of a record say, as text. */
export function said(record: RunRecord): string {
  return findings(record)
    .map(({ text }) => plain(text))
    .join(" | ");
}

/** What a reader sees of a page. */
export function plain(page: string): string {
  return page
    .replace(/<[^>]*>/g, "")
    .replace(/[\u202f\u00a0]/g, " ")
    .replace(/\s+/g, " ");
}

/** The page without its program, as text: what is seen, read aloud, copied, and shown by the plots. */
export function visible(page: string): string {
  const data = /<script type="application\/json" id="report-data">(.*?)<\/script>/s.exec(page)?.[1] ?? "{}";
  const texts: string[] = [];
  JSON.parse(data, (key, value: unknown) => {
    if (typeof value === "string" && !/^(hovertemplate|texttemplate)$/.test(key)) texts.push(value);
    return value;
  });
  const body = page.replace(/<(script|style)[^>]*>.*?<\/\1>/gs, "");
  const attributes = [...body.matchAll(/\s(?:aria-label|data-csv|title|alt)="([^"]*)"/g)].map(
    ([, text]) => text,
  );
  return [plain(body), ...attributes, ...texts].join(" | ");
}

/** What a page must not show: values that are none. */
export const empty = /\b(undefined|NaN|null|Infinity|\[object)\b/;
