import { expect } from "chai";
import { readFileSync } from "node:fs";
import {
  pictureFile,
  readmeFile,
  resultFile,
  resultPicture,
  resultTable,
  withTable,
  type Result,
} from "../../fixtures/make/readme-picture.ts";

describe("docs: the README's result", () => {
  const result = JSON.parse(readFileSync(resultFile, "utf8")) as Result;

  it("the picture is drawn from result.json", () => {
    expect(readFileSync(pictureFile, "utf8")).to.equal(resultPicture(result));
  });

  it("the table is that of result.json", () => {
    const readme = readFileSync(readmeFile, "utf8");
    expect(withTable(readme, resultTable(result))).to.equal(readme);
  });

  it("names in a picture are escaped", () => {
    const evil = { ...result, dataset: { ...result.dataset, name: "<img onerror=x>" } };
    expect(resultPicture(evil)).to.not.include("<img");
  });
});
