import { expect } from "chai";
import { openDataset } from "../../lib/data/open.ts";
import type { Dataset } from "../../lib/data/dataset.ts";
import { failure, removeFolders, tree } from "./support.ts";

const N = 24;

/** A table of one label column, of as many pictures. */
function table(column: string, label: (i: number) => string, json?: object): Promise<string> {
  const numbers = Array.from({ length: N }, (_, i) => i);
  return tree({
    ...Object.fromEntries(numbers.map((i) => [`${i}.png`, i])),
    "labels.csv": [`file,${column}`, ...numbers.map((i) => `${i}.png,${label(i)}`)].join("\n"),
    ...(json && { "dataset.json": JSON.stringify(json) }),
  });
}

const open = async (task: string, root: Promise<string>, label?: string): Promise<Dataset> =>
  openDataset({ data: await root, task, seed: 1, ...(label !== undefined && { label }) });

/** In the task's own unit, beside the rows of the table. */
const shown = ({ items, task }: Dataset): number[] =>
  items.map(({ target }) => Number((target[0] / task.scale).toFixed(3)));

describe("data/numbers", () => {
  after(removeFolders);

  it("ages that may be fractions, codes or months are asked for; unit or factor in dataset.json settles it", async () => {
    const cases: [string, (i: number) => string, RegExp, object, number][] = [
      ["age", (i) => (i / 100).toFixed(2), /fractions of a longest life/, { factor: 100 }, 23],
      ["age", (i) => (i / 100).toFixed(2), /up to 0.23/, { unit: "years" }, 0.23],
      ["age", (i) => String(i % 9), /codes of groups of years/, { unit: "years" }, 5],
      ["age_months", (i) => String(12 * i), /by its name, months/, { factor: 1 / 12 }, 23],
      ["age", (i) => String(12 * (i + 10)), /only 1 of 24 labels are in 0 to 122/, { factor: 1 / 12 }, 33],
    ];
    for (const [column, label, message, said, last] of cases) {
      const error = await failure(() => open("age", table(column, label), column));
      expect(error.message).to.match(message);
      expect(error.hint, column).to.match(/"factor"|"unit"/);
      const json = { tasks: { age: { column, ...said } } };
      expect(shown(await open("age", table(column, label, json))).at(-1)).to.be.closeTo(last, 0.01);
    }
    const codes = await failure(() =>
      open(
        "age-group",
        table("age", (i) => String(i % 9)),
      ),
    );
    expect(codes.message).to.contain("codes of groups");
    const born = await failure(() =>
      open(
        "age",
        table("age", (i) => String(1950 + i)),
      ),
    );
    expect(born.hint).to.contain("years of birth");
    const cells = await failure(() =>
      open(
        "age",
        table("age", (i) => `${i + 20} years`),
      ),
    );
    expect(cells.hint).to.contain("without their unit");
  });

  it("angles: a full turn goes back to zero, fractions of an angle are asked for", async () => {
    const turn = await open(
      "head-pose",
      table("yaw", (i) => String(15 * i)),
    );
    expect(shown(turn)).to.deep.equal(Array.from({ length: N }, (_, i) => (i > 12 ? 15 * i - 360 : 15 * i)));
    expect(turn.assumptions.join()).to.contain("from 0 to 360 degrees");
    // a code beside angles of both signs is no turn
    const coded = await open(
      "head-pose",
      table("yaw", (i) => String(i === 3 ? 255 : 10 * i - 90)),
    );
    expect(coded.items).to.have.length(N - 1);
    const parts = (i: number): string => String((i - 11.5) / 11.5);
    expect((await failure(() => open("head-pose", table("yaw", parts)))).hint).to.contain('"factor": 90');
    const json = { tasks: { "head-pose": { column: "yaw", unit: "degrees", factor: 90 } } };
    expect(shown(await open("head-pose", table("yaw", parts, json))).at(-1)).to.equal(90);
  });

  it("what only a program would take for a number is none, a wrong factor is refused", async () => {
    const { problems } = await open(
      "age",
      table("age", (i) => (i === 7 ? "0x1F" : ["30", "+40", "2e1", ".5"][i % 4])),
    );
    expect(problems.map(({ problem }) => problem)).to.deep.equal([
      'label "0x1F" in column "age", a number was needed',
    ]);
    const json = { tasks: { age: { column: "age", factor: 0 } } };
    expect((await failure(() => open("age", table("age", String, json)))).message).to.contain("factor is 0");
  });
});
