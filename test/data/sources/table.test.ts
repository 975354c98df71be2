/** The rows of docs/howto-data.md, each tried on a tree of the set's own structure; the scripts of the page run as they stand. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { openDataset } from "../../../lib/data/open.ts";
import { LAYOUTS } from "../../../lib/data/sources/catalogue.ts";
import { matOfPose } from "../../support/mat.ts";
import { failure, removeFolders, tree } from "../support.ts";

const page = readFileSync(new URL("../../../docs/howto-data.md", import.meta.url), "utf8");
const table = page.slice(page.indexOf("## Every public set"), page.indexOf("### Scripts for sets"));
/** Set -> what is read, as the page says. */
const rows = new Map(
  table
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .filter((cells) => cells.length > 4)
    .map(([, set, , read]) => [set, read]),
);

type Files = Record<string, string | number | Uint8Array>;

interface Case {
  /** As in the page. */
  readonly set: string;
  readonly task: string;
  /** `i` counts pictures; a number is a picture. */
  readonly files: (i: number) => Files;
  /** Files of the whole set. */
  readonly more?: Files;
  /** The label of some pictures after it was read, or after the script has run. */
  readonly labels: Readonly<Record<string, string | number>>;
}

const N = 48;
const two = (i: number): string => String(i).padStart(2, "0");
const three = (i: number): string => String(i).padStart(3, "0");
const lines = (line: (i: number) => string, from = 0, to = N): string =>
  Array.from({ length: to - from }, (_, i) => line(from + i)).join("\n") + "\n";
const part = (i: number): string => (i < 32 ? "train" : "test");
const emotion = (i: number): string => ["Anger", "Happiness"][i % 2];
const sequence = (i: number): number => 5 + Math.floor(i / 8);
/** 1 x 1 float64 of a .npy file, version 1. */
function npy(value: number): Uint8Array {
  const head = "{'descr': '<f8', 'fortran_order': False, 'shape': (), }".padEnd(117) + "\n";
  const bytes = Buffer.alloc(10 + head.length + 8);
  bytes.write("\x93NUMPY\x01\x00", 0, "latin1");
  bytes.writeUInt16LE(head.length, 8);
  bytes.write(head, 10, "latin1");
  bytes.writeDoubleLE(value, 10 + head.length);
  return bytes;
}

const CASES: readonly Case[] = [
  {
    set: "UTKFace",
    task: "gender",
    files: (i) => ({ [`part${i % 3}/${i + 1}_${i % 2}_3_2017${i}.jpg.chip.jpg`]: i }),
    labels: { "part0/1_0_3_20170.jpg.chip.jpg": "male", "part1/2_1_3_20171.jpg.chip.jpg": "female" },
  },
  {
    set: "AgeDB",
    task: "age",
    files: (i) => ({ [`${i}_MariaCallas${i % 9}_${i + 10}_${"fm"[i % 2]}.jpg`]: i }),
    labels: { "3_MariaCallas3_13_m.jpg": 13 },
  },
  {
    set: "MORPH",
    task: "age",
    files: (i) => ({ [`Album2/${9000 + (i >> 1)}0_${i % 2}${"MF"[(i >> 1) % 2]}${20 + i}.JPG`]: i }),
    labels: { "Album2/90000_1M21.JPG": 21 },
  },
  {
    set: "FG-NET",
    task: "age",
    files: (i) => ({ [`Images/${three(1 + (i >> 3))}A${two(i)}${i % 2 ? "a" : ""}.JPG`]: i }),
    labels: { "Images/001A02.JPG": 2, "Images/001A03a.JPG": 3 },
  },
  {
    set: "CACD",
    task: "age",
    files: (i) => ({
      [`CACD2000/${14 + i}_${["50_Cent", "Zoë_O'Neil"][i % 2]}_${i % 7}_000${i % 9}.jpg`]: i,
    }),
    labels: { "CACD2000/14_50_Cent_0_0000.jpg": 14 },
  },
  {
    set: "AFAD",
    task: "gender",
    files: (i) => ({ [`AFAD-Lite/${18 + (i >> 3)}/${i % 2 ? 112 : 111}/${i}-0.jpg`]: i }),
    labels: { "AFAD-Lite/18/111/0-0.jpg": "male", "AFAD-Lite/18/112/1-0.jpg": "female" },
  },
  {
    set: "JAFFE",
    task: "emotion",
    files: (i) => ({
      [`jaffe/${["KA", "KL", "NM"][(i >> 1) % 3]}.${["AN", "SU"][i % 2]}${1 + (i % 3)}.${i}.tiff`]: i,
    }),
    labels: { "jaffe/KA.AN1.0.tiff": "anger", "jaffe/KA.SU2.1.tiff": "surprise" },
  },
  {
    set: "RaFD",
    task: "emotion",
    files: (i) => ({
      [`Rafd0${["00", "90"][(i >> 1) % 2]}_${two(1 + (i >> 2))}_Caucasian_female_${["contemptuous", "angry"][i % 2]}_left.jpg`]:
        i,
    }),
    labels: { "Rafd000_01_Caucasian_female_contemptuous_left.jpg": "contempt" },
  },
  {
    set: "FACES (Max Planck)",
    task: "gender",
    files: (i) => ({
      [`${three(1 + (i >> 1))}_${"ymo"[i % 3]}_${"mf"[(i >> 1) % 2]}_${"ad"[i % 2]}_a.jpg`]: i,
    }),
    labels: { "001_y_m_a_a.jpg": "male", "002_o_f_a_a.jpg": "female" },
  },
  {
    set: "KDEF",
    task: "head-pose",
    files: (i) => ({
      [`AF${two(1 + (i >> 2))}/AF${two(1 + (i >> 2))}AN${["FL", "S", "HR", "FR"][i % 4]}.JPG`]: i,
    }),
    labels: { "AF01/AF01ANFL.JPG": -90, "AF01/AF01ANHR.JPG": 45 },
  },
  {
    set: "IMDB-WIKI",
    task: "age",
    files: (i) => ({ [`wiki_crop/${two(i)}/10${i}_1947-06-19_20${two(i)}.jpg`]: i }),
    labels: { "wiki_crop/07/107_1947-06-19_2007.jpg": 60 },
  },
  {
    set: "AFLW2000-3D",
    task: "head-pose",
    files: (i) => ({
      [`image${three(i)}.jpg`]: i,
      [`image${three(i)}.mat`]: matOfPose([0, (i - 24) / 24, 0], false),
    }),
    labels: { "image012.jpg": -28.65 },
  },
  {
    set: "RAF-DB",
    task: "emotion",
    files: (i) => ({ [`Image/aligned/${part(i)}_${two(i)}_aligned.jpg`]: i }),
    more: { "EmoLabel/list_patition_label.txt": lines((i) => `${part(i)}_${two(i)}.jpg ${1 + (i % 7)}`) },
    labels: {
      "Image/aligned/train_00_aligned.jpg": "surprise",
      "Image/aligned/train_01_aligned.jpg": "fear",
    },
  },
  {
    set: "FER+",
    task: "emotion",
    files: (i) => ({ [`FER2013${i < 32 ? "Train" : "Test"}/fer${i}.png`]: i }),
    more: {
      "fer2013new.csv":
        "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n" +
        lines(
          (i) =>
            `${i < 32 ? "Training" : "PrivateTest"},fer${i}.png,${i % 2 ? "2,8" : "9,1"},0,0,0,0,0,0,0,0`,
        ),
    },
    labels: { "FER2013Train/fer0.png": "neutral", "FER2013Test/fer33.png": "happiness" },
  },
  {
    set: "AffectNet",
    task: "valence",
    files: (i) => ({
      [`${i < 32 ? "train" : "val"}_set/images/${i}.jpg`]: i,
      [`${i < 32 ? "train" : "val"}_set/annotations/${i}_exp.npy`]: npy(i % 8),
      [`${i < 32 ? "train" : "val"}_set/annotations/${i}_val.npy`]: npy(i / 50),
      [`${i < 32 ? "train" : "val"}_set/annotations/${i}_aro.npy`]: npy(-2),
    }),
    labels: { "train_set/images/10.jpg": 0.2, "val_set/images/40.jpg": 0.8 },
  },
  {
    set: "BIWI Kinect",
    task: "head-pose",
    files: (i) => ({
      [`${two(1 + (i >> 3))}/frame_000${two(i)}_rgb.png`]: i,
      [`${two(1 + (i >> 3))}/frame_000${two(i)}_pose.txt`]: `${[0, 1, 2].map((k) => turned(i * 2 - 48)[k].join(" ")).join("\n")}\n\n1 2 3\n`,
    }),
    labels: { "01/frame_00000_rgb.png": -48, "06/frame_00047_rgb.png": 46 },
  },
  {
    set: "APPA-REAL",
    task: "age",
    files: (i) => ({ [`${appa(i)}/${i}.jpg`]: i, [`${appa(i)}/${i}.jpg_face.jpg`]: 100 + i }),
    more: Object.fromEntries(
      [
        ["train", 0, 24],
        ["valid", 24, 36],
        ["test", 36, 48],
      ].map(([name, from, to]) => [
        `gt_avg_${name}.csv`,
        `file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age\n${lines((i) => `${i}.jpg,38,${i + 3}.5,0.3,${i}`, Number(from), Number(to))}`,
      ]),
    ),
    labels: { "train/5.jpg_face.jpg": 5, "valid/30.jpg_face.jpg": 30, "test/40.jpg_face.jpg": 40 },
  },
  {
    set: "MegaAge",
    task: "age",
    files: (i) => ({ [`${part(i)}/${i}.jpg`]: i }),
    more: {
      "list/train_name.txt": lines((i) => `${i}.jpg`, 0, 32),
      "list/train_age.txt": lines((i) => String(i + 1), 0, 32),
      "list/test_name.txt": lines((i) => `${i}.jpg`, 32),
      "list/test_age.txt": lines((i) => String(i + 1), 32),
    },
    labels: { "train/7.jpg": 8, "test/40.jpg": 41 },
  },
  {
    set: "ExpW",
    task: "emotion",
    files: (i) => ({ [`image/origin/img_${i}.jpg`]: i }),
    more: {
      "label/label.lst": `${lines((i) => `img_${i}.jpg 0 1 2 12 9 10.7 ${i % 2 ? 3 : 6}`)}img_4.jpg 1 1 2 12 9 9.1 3\n`,
    },
    labels: { "image/origin/img_1.jpg": "happiness", "image/origin/img_2.jpg": "neutral" },
  },
  {
    set: "CK+",
    task: "emotion",
    files: (i) => {
      const s = `S${three(sequence(i))}`;
      return {
        [`cohn-kanade-images/${s}/001/${s}_001_000000${two(1 + (i % 8))}.png`]: i,
        [`Emotion/${s}/001/${s}_001_00000008_emotion.txt`]: `   ${sequence(i) % 2 ? 5 : 1}.0000000e+00\n`,
      };
    },
    labels: {
      "cohn-kanade-images/S005/001/S005_001_00000008.png": "happiness",
      "cohn-kanade-images/S006/001/S006_001_00000006.png": "anger",
    },
  },
  {
    set: "Oulu-CASIA",
    task: "emotion",
    files: (i) => ({ [`P${three(1 + (i >> 4))}/${emotion(i >> 3)}/${three(i % 8)}.jpeg`]: i }),
    labels: { "P001/Anger/007.jpeg": "anger", "P002/Happiness/005.jpeg": "happiness" },
  },
  {
    set: "VGGFace2",
    task: "gender",
    files: (i) => ({ [`${part(i)}/n00000${i < 32 ? i % 4 : 4 + (i % 2)}/${i}_01.jpg`]: i }),
    more: {
      "identity_meta.csv": `Class_ID, Name, Sample_Num, Flag, Gender\n${lines((i) => `n00000${i}, "A, ${i}", 9, 1, ${i % 2 ? "m" : "f"}`, 0, 6)}`,
    },
    labels: { "train/n000001/1_01.jpg": "male", "test/n000004/32_01.jpg": "female" },
  },
  {
    set: "WIDER Attribute",
    task: "gender",
    files: (i) => ({ [`Image/${part(i)}/0--Parade/${i}.jpg`]: i }),
    more: Object.fromEntries(
      [
        ["trainval", 0, 32],
        ["test", 32, 48],
      ].map(([name, from, to]) => [
        `wider_attribute_annotation/wider_attribute_${name}.json`,
        JSON.stringify({
          images: Array.from({ length: Number(to) - Number(from) }, (_, k) => {
            const i = Number(from) + k;
            const person = { attribute: [i % 2 ? 1 : -1, 0] };
            return {
              file_name: `${part(i)}/0--Parade/${i}.jpg`,
              targets: i === 3 ? [person, person] : [person],
            };
          }),
        }),
      ]),
    ),
    labels: { "Image/train/0--Parade/1.jpg": "male", "Image/test/0--Parade/40.jpg": "female" },
  },
];

function appa(i: number): string {
  return i < 24 ? "train" : i < 36 ? "valid" : "test";
}

/** A head that is turned about the vertical axis. */
function turned(degrees: number): number[][] {
  const [s, c] = [Math.sin((degrees * Math.PI) / 180), Math.cos((degrees * Math.PI) / 180)];
  return [
    [c, 0, s],
    [0, 1, 0],
    [-s, 0, c],
  ];
}

/** The script of a set: the first Python block behind a line that begins with its name. */
function scriptOf(set: string): string | undefined {
  const scripts = page.slice(page.indexOf("### Scripts for sets"));
  return new RegExp(
    `\\n${set.replace("+", "\\+")}[^\\n]*(?:\\n[^\`\\n]+)*\\n\\n\`\`\`python\\n([\\s\\S]*?)\`\`\``,
  ).exec(
    scripts
      .replace("\nFER+, `fer2013new.csv`,", "\nFER+,")
      .replace("AffectNet with `.npy`", "AffectNet with npy"),
  )?.[1];
}

async function expectLabels(root: string, { task, labels }: Case): Promise<void> {
  const { items, task: read } = await openDataset({ data: root, task, seed: 0 });
  const found = new Map(items.map((item) => [item.file, item.target]));
  for (const [file, label] of Object.entries(labels)) {
    const target = found.get(file);
    if (target === undefined) expect.fail(`${file} is not among ${[...found.keys()].slice(0, 5).join(", ")}`);
    if (typeof label === "number") expect(target[0] / read.scale, file).to.be.closeTo(label, 0.01);
    else expect(read.classes[read.kind === "binary" ? target[0] : target.indexOf(1)], file).to.equal(label);
  }
}

describe("docs/howto-data.md: every public set", () => {
  after(removeFolders);
  const hasPython = spawnSync("python3", ["-c", "import numpy"]).status === 0;

  it("has a row for every layout that is known by its files", () => {
    const known = LAYOUTS.map(({ name }) => name.replace(/ \((csv|npy|identity_meta\.csv)\)$/, ""));
    const own = ["labels.csv", "image folder"];
    expect(known.filter((name) => !own.includes(name) && !rows.has(name))).to.deep.equal([]);
  });

  for (const each of CASES) {
    const { set, files, more = {} } = each;
    const said = rows.get(set) ?? "";
    const make = (): Promise<string> =>
      tree({ ...Object.assign({}, ...Array.from({ length: N }, (_, i) => files(i))), ...more } as Files);
    const script = scriptOf(set);
    if (script === undefined)
      it(`${set}: read`, async () => {
        expect(said)
          .to.not.equal("")
          .and.not.match(/^nothing/);
        await expectLabels(await make(), each);
      });
    else
      it(`${set}: refused as it lies, read after the script`, async function () {
        this.timeout(60_000);
        const root = await make();
        const error = await failure(() => openDataset({ data: root, task: each.task, seed: 0 }));
        expect(error.hint).to.contain("docs/howto-data.md");
        if (!hasPython) this.skip();
        const run = spawnSync("python3", ["-c", script], { cwd: root, encoding: "utf8" });
        expect(run.stderr).to.equal("");
        await expectLabels(root, each);
      });
  }
});
