import { expect } from "chai";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { ageGroupNames } from "../../../lib/data/age-groups.ts";
import { silent, type Progress } from "../../../lib/core/progress.ts";
import { evaluateModel } from "../../../lib/jobs/use/evaluate.ts";
import { crossval, type CrossvalOptions } from "../../../lib/jobs/train/crossval.ts";
import { train } from "../../../lib/jobs/train/train.ts";

/** Pictures in each of the five lists. */
const lists = [24, 18, 16, 12, 10];
/** As Adience spells the eight groups, and what else stands in its lists: ages between two, a bare number, none at all. */
const spelled = [
  ...["(0, 2)", "(4, 6)", "(8, 12)", "(15, 20)", "(25, 32)", "(38, 43)", "(48, 53)", "(60, 100)"],
  ...["(38, 48)", "35", "None"],
];
/** Years between the groups and in them. */
const years = [1, 3, 5, 7, 10, 14, 18, 23, 28, 35, 40, 46, 50, 57, 61, 90];

describe("LMTCNN's protocol: a generated Adience and UTKFace, each way", function () {
  this.timeout(480_000);
  let root: string;
  let shared: Pick<CrossvalOptions, "task" | "size" | "epochs" | "cacheDir" | "runs">;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-adience-"));
    shared = { task: "age-group,gender", size: 67, epochs: 0, cacheDir: join(root, "cache"), runs: 1 };
    await writeAdience(join(root, "adience"));
    for (let i = 0; i < 64; i++)
      await draw(join(root, "utkface", `${years[i % 16]}_${i % 3 === 0 ? 1 : 0}_0_2017${1000 + i}.jpg`), i);
  });
  after(() => rm(root, { recursive: true, force: true }));

  async function draw(path: string, i: number): Promise<void> {
    const background = { r: (53 * i) % 256, g: (91 * i) % 256, b: 255 - i };
    await mkdir(dirname(path), { recursive: true });
    await sharp({ create: { width: 24, height: 24, channels: 3, background } })
      .jpeg()
      .toFile(path);
  }

  /** Every sixth picture has no known gender; "None" is no age. */
  async function writeAdience(folder: string): Promise<void> {
    let n = 0;
    for (const [list, count] of lists.entries()) {
      const lines = ["user_id\toriginal_image\tface_id\tage\tgender\tx"];
      for (let k = 0; k < count; k++, n++) {
        const [user, gender] = [`${list}@u${k >> 1}`, n % 6 === 5 ? ["u", ""][n % 2] : "fm"[n % 2]];
        lines.push(`${user}\t${n}.jpg\t${n}\t${spelled[n % spelled.length]}\t${gender}\t0`);
        await draw(join(folder, `aligned/${user}/landmark_aligned_face.${n}.${n}.jpg`), n);
      }
      await writeFile(join(folder, `fold_${list}_data.txt`), lines.join("\n"));
    }
  }

  const rows = lists.flatMap((count, list) => Array.from({ length: count }, () => list));
  const hasAge = rows.map((_, n) => spelled[n % spelled.length] !== "None");
  const hasGender = rows.map((_, n) => n % 6 !== 5);

  it("the lists are the folds, all networks see the same pictures, and every group is among them", async () => {
    const said: string[] = [];
    const progress: Progress = { ...silent, note: (text) => void said.push(text) };
    const backbones = ["lmtcnn-1-1", "levi-hassner"];
    const data = join(root, "adience");
    const {
      by,
      folds,
      rows: table,
    } = await crossval({
      ...{ ...shared, data, backbones, progress },
      out: join(root, "folds"),
    });
    expect(by).to.equal("lists");
    const both = lists.map(
      (_, list) => rows.filter((at, n) => at === list && hasAge[n] && hasGender[n]).length,
    );
    expect(folds.map(({ test }) => test)).to.deep.equal(both);
    for (const { train: n, val, test } of folds)
      expect(n + val + test).to.equal(both.reduce((sum, count) => sum + count, 0));
    for (const { arch, tasks } of table) {
      expect(tasks.map(({ task, top2 }) => [task, top2 !== undefined])).to.deep.equal([
        ["age-group", true],
        ["gender", false],
      ]);
      // A share of a fold's pictures, whichever network: the same pictures.
      for (const { top1 } of tasks)
        for (const [fold, share] of top1.folds.entries())
          expect((share * both[fold]) % 1, `${arch} ${fold}`).to.satisfy(
            (rest: number) => rest < 1e-6 || rest > 1 - 1e-6,
          );
    }
    expect(said.join("\n")).to.match(/have no label of gender|rows? left out/);
  });

  it("a network of one data set is judged on all pictures of the other, both ways, no group lost", async () => {
    for (const [from, to, expected] of [
      ["utkface", "adience", [hasAge, hasGender].map((has) => has.filter(Boolean).length)],
      ["adience", "utkface", [64, 64]],
    ] as const) {
      const out = join(root, `from-${from}`);
      await train({ ...shared, data: join(root, from), backbone: "lmtcnn-1-1", out });
      const found = await evaluateModel(out, { data: join(root, to), cacheDir: shared.cacheDir });
      const [other] = found.others ?? [];
      expect([found.task, other.task], to).to.deep.equal(["age-group", "gender"]);
      expect([found.n, other.n], to).to.deep.equal(expected);
      const counts = (found.confusion ?? []).map((row) => row.reduce((sum, count) => sum + count, 0));
      expect(counts, to).to.have.length(ageGroupNames.length);
      expect(Math.min(...counts), to).to.be.greaterThan(0);
      expect(
        counts.reduce((sum, count) => sum + count, 0),
        to,
      ).to.equal(found.n);
    }
  });
});
