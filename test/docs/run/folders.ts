/** The folders of faces that the documentation names, small: drawn faces in the layout that each name promises. */
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import sharp from "sharp";
import type { Crop } from "../../../lib/core/artifacts.ts";
import { ageGroupNames } from "../../../lib/data/age-groups.ts";
import { CELEBA_ATTRIBUTES } from "../../../lib/data/sources/celeba-attributes.ts";
import { drawFace } from "../../../lib/data/synthetic/draw.ts";
import { traitsOf, type Traits } from "../../../lib/data/synthetic/traits.ts";
import { matOfPose } from "../../support/mat.ts";

const count = 60;
const side = 56;
const locate = createRequire(import.meta.url).resolve;

type Files = Record<string, string | Uint8Array>;

/** A drawn face as JPEG. */
function face(traits: Traits, crop: Crop = [0, 0, 1, 1]): Promise<Uint8Array> {
  const raw = { width: side, height: side, channels: 3 } as const;
  return sharp(drawFace(traits, crop, raw), { raw })
    .jpeg()
    .toBuffer();
}

/** Drawn faces under the names that `nameOf` gives them. */
async function faces(nameOf: (traits: Traits, index: number) => string): Promise<Files> {
  const files: Files = {};
  for (let i = 0; i < count; i++) {
    const traits = traitsOf(i);
    files[nameOf(traits, i)] = await face(traits);
  }
  return files;
}

const lines = (line: (traits: Traits, index: number) => string): string =>
  Array.from({ length: count }, (_, i) => `${line(traitsOf(i), i)}\n`).join("");
const splitOf = (index: number): string => (index % 3 === 2 ? "test" : "train");
const jpg = (index: number): string => `${String(index + 1).padStart(6, "0")}.jpg`;

/** A labels.csv with two pictures of every fourth face, and pairs of them. */
async function labelled(): Promise<Files> {
  const again: Files = {};
  const pairs: string[] = ["file1,file2,same\n"];
  for (let i = 0; i < count; i += 4) {
    again[`again-${jpg(i)}`] = await face(traitsOf(i), [0.02, 0, 1.02, 1]);
    pairs.push(`${jpg(i)},again-${jpg(i)},1\n${jpg(i)},again-${jpg((i + 4) % count)},0\n`);
  }
  return {
    ...(await faces((_, i) => jpg(i))),
    ...again,
    "pairs.csv": pairs.join(""),
    "labels.csv": `file,split,gender,age,emotion\n${lines(
      ({ gender, age, emotion }, i) => `${jpg(i)},${splitOf(i)},${gender},${age},${emotion}`,
    )}`,
  };
}

async function celeba(): Promise<Files> {
  const code = (yes: boolean): string => (yes ? "1" : "-1");
  const attributes = lines(
    ({ gender, emotion }, i) =>
      `${jpg(i)}  ${CELEBA_ATTRIBUTES.map((name, k) =>
        code(
          name === "Male"
            ? gender === "male"
            : name === "Smiling"
              ? emotion === "happiness"
              : (i + k) % 3 === 0,
        ),
      ).join(" ")}`,
  );
  return {
    ...(await faces((_, i) => `img_align_celeba/${jpg(i)}`)),
    "list_attr_celeba.txt": `${count}\n${CELEBA_ATTRIBUTES.join(" ")}\n${attributes}`,
    "identity_CelebA.txt": lines((_, i) => `${jpg(i)} ${i}`),
    "list_eval_partition.txt": lines((_, i) => `${jpg(i)} ${[0, 1, 2][i % 3]}`),
    "pairs.csv": `file1,file2,same\n${lines((_, i) => `img_align_celeba/${jpg(i)},img_align_celeba/${jpg((i * 7) % count)},${Number(i === (i * 7) % count)}`)}`,
  };
}

const utkface = (): Promise<Files> =>
  faces(
    ({ age, gender }, i) =>
      `${age}_${gender === "male" ? 0 : 1}_0_${String(20170101000000000 + i).padStart(17, "0")}.jpg`,
  );

async function aflw2000(): Promise<Files> {
  const files = await faces((_, i) => `image${jpg(i)}`);
  for (let i = 0; i < count; i++)
    files[`image${jpg(i).replace("jpg", "mat")}`] = matOfPose(
      [0, (traitsOf(i).yawDegrees * Math.PI) / 180, 0],
      false,
    );
  return files;
}

async function afewVa(): Promise<Files> {
  const files: Files = {};
  for (let clip = 1; clip <= 10; clip++) {
    const name = String(clip).padStart(3, "0");
    const frames: Record<string, object> = {};
    for (let k = 0; k < count / 10; k++) {
      const traits = traitsOf(clip * 10 + k);
      const frame = String(k).padStart(5, "0");
      const corners = [
        [12, 10],
        [44, 48],
      ];
      frames[frame] = { valence: Math.round(10 * traits.valence), arousal: 0, landmarks: corners };
      files[`${name}/${frame}.png`] = await face(traits);
    }
    files[`${name}/${name}.json`] = JSON.stringify({ actor: `actor ${clip}`, frames });
  }
  return files;
}

/** Yaws of Pointing'04 are multiples of 15 degrees. */
const pointing04 = (): Promise<Files> =>
  faces(({ yawDegrees }, i) => {
    const yaw = 15 * Math.round(yawDegrees / 15);
    const person = String(1 + (i % 10)).padStart(2, "0");
    return `Person${person}/person${person}1${String(i).padStart(2, "0")}+0${yaw < 0 ? "-" : "+"}${Math.abs(yaw)}.jpg`;
  });

/** All seven classes, whatever the faces show. */
async function rafDb(): Promise<Files> {
  const name = (i: number): string => `${splitOf(i)}_${String(i).padStart(5, "0")}`;
  return {
    ...(await faces((_, i) => `basic/Image/aligned/${name(i)}_aligned.jpg`)),
    "basic/EmoLabel/list_patition_label.txt": lines((_, i) => `${name(i)}.jpg ${(i % 7) + 1}`),
  };
}

async function adience(): Promise<Files> {
  const files: Files = {};
  for (let fold = 0; fold < 5; fold++) {
    const rows = ["user_id\toriginal_image\tface_id\tage\tgender\tx"];
    for (let k = 0; k < 24; k++) {
      const index = fold * 24 + k;
      const [low, high = 100] = ageGroupNames[k % ageGroupNames.length].match(/\d+/g) ?? [];
      const gender = traitsOf(index).gender === "male" ? "m" : "f";
      rows.push(`u${index}\t${jpg(index)}\t${index}\t(${low}, ${high})\t${gender}\t0`);
      files[`aligned/u${index}/landmark_aligned_face.${index}.${jpg(index)}`] = await face(traitsOf(index));
    }
    files[`fold_${fold}_data.txt`] = `${rows.join("\n")}\n`;
  }
  return files;
}

const moodOf = ({ emotion }: Traits): number => Number(emotion !== "neutral");

const byFolder = (): Promise<Files> => faces((traits, i) => `${["calm", "moved"][moodOf(traits)]}/${jpg(i)}`);

const byTable = async (): Promise<Files> => ({
  ...(await faces((_, i) => jpg(i))),
  "labels.csv": `file,split,mood\n${lines((traits, i) => `${jpg(i)},${splitOf(i)},${moodOf(traits)}`)}`,
});

const byTask = async (): Promise<Files> => ({
  ...(await byTable()),
  "dataset.json": JSON.stringify({
    tasks: { mood: { column: "mood", values: { "0": "calm", "1": "moved" } } },
  }),
});

/** Heads in the sample pictures of face-api's package: the detector needs people. */
const heads = Object.entries(
  (createRequire(import.meta.url)("../../../fixtures/align/faces.json") as Fixture).pictures,
).flatMap(([file, found]) => found.map(({ box }) => ({ file, box })));

interface Fixture {
  readonly pictures: Readonly<Record<string, readonly { readonly box: readonly number[] }[]>>;
}

/** Photographs of those heads under the names that `nameOf` gives them, and the same ones mirrored. */
async function photographs(
  nameOf: (head: number, mirrored: boolean) => string,
  count = heads.length,
): Promise<Files> {
  const files: Files = {};
  for (const [i, { file, box }] of heads.slice(0, count).entries()) {
    const picture = sharp(locate(`@vladmandic/face-api/demo/${file}`));
    const { width, height } = await picture.metadata();
    const [x0, y0, x1, y1] = box.map((value) => Math.round(value * Math.max(width, height)));
    const left = Math.max(0, x0 - (x1 - x0));
    const top = Math.max(0, y0 - (y1 - y0));
    const cut = picture
      .extract({
        left,
        top,
        width: Math.min(3 * (x1 - x0), width - left),
        height: Math.min(3 * (y1 - y0), height - top),
      })
      .resize({ width: 240 });
    files[nameOf(i, false)] = await cut.jpeg().toBuffer();
    files[nameOf(i, true)] = await cut.flop().jpeg().toBuffer();
  }
  return files;
}

const agedb = (): Promise<Files> =>
  photographs(
    (head, mirrored) => `${2 * head + Number(mirrored)}_Person${head}_${20 + 4 * head}_${"fm"[head % 2]}.jpg`,
  );

async function photos(few: boolean): Promise<Files> {
  const own = few ? 4 : heads.length;
  const name = (head: number, mirrored: boolean): string => `${mirrored ? "2022" : "2021"}/${head}.jpg`;
  const rows = heads
    .slice(0, own)
    .flatMap((_, i) =>
      [false, true].map((mirrored) => `${name(i, mirrored)},person ${i},${["female", "male"][i % 2]}\n`),
    );
  const pairs = heads
    .slice(0, own)
    .map(
      (_, i) => `${name(i, false)},${name(i, true)},1\n${name(i, false)},${name((i + 1) % own, true)},0\n`,
    );
  return {
    ...(await photographs(name, own)),
    "labels.csv": `file,person,gender\n${rows.join("")}`,
    "pairs.csv": `file1,file2,same\n${pairs.join("")}`,
  };
}

/** New photographs, one of them of a holiday. */
async function newPhotos(): Promise<Files> {
  const names = ["holiday.jpg", "a.jpg", "b.jpg", "c.jpg"];
  const all = Object.values(await photographs((head, mirrored) => `${head}-${mirrored}`, 4));
  return {
    ...Object.fromEntries(names.map((name, i) => [name, all[2 * i]])),
    "labels.csv": `file,gender\n${names.map((name, i) => `${name},${["female", "male"][i % 2]}\n`).join("")}`,
  };
}

/** Folders by the names that the documentation gives them. */
const folders: Readonly<Record<string, (few: boolean) => Promise<Files>>> = {
  faces: labelled,
  "other-faces": labelled,
  other: labelled,
  "new-faces": labelled,
  celeba,
  UTKFace: utkface,
  utkface,
  AgeDB: agedb,
  AFLW2000: aflw2000,
  "AFEW-VA": afewVa,
  Pointing04: pointing04,
  "RAF-DB": rafDb,
  adience,
  "by-folder": byFolder,
  "by-table": byTable,
  "by-task": byTask,
  photos,
  "new-photos": newPhotos,
};

export const folderNames: readonly string[] = Object.keys(folders);

/**
 * Writes the folder that the documentation calls `name`.
 *
 * @param few a few photographs will do: nothing is trained on them
 */
export async function writeFolder(home: string, name: string, few: boolean): Promise<void> {
  for (const [file, content] of Object.entries(await folders[name](few))) {
    const path = join(home, name, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
}
