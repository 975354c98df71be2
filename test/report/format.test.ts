import { expect } from "chai";
import {
  decimalsFor,
  formatBytes,
  formatChange,
  formatCount,
  formatDigits,
  formatGamma,
  formatPercent,
  formatPercentError,
  formatPoints,
  formatSeconds,
  formatShare,
  formatSi,
  formatUncertain,
} from "../../lib/report/format.ts";

const thin = (text: string): string => text.replace(/[\u202f\u00a0]/g, " ").replaceAll("\u2212", "-");

describe("report/format", () => {
  const cases: [string, string, string][] = [
    ["counts", formatCount(1250), "1,250"],
    ["large counts", formatCount(12345678), "12,345,678"],
    ["digits", formatDigits(0.0012345, 2), "0.0012"],
    ["digits keep zeros", formatDigits(0.5, 2), "0.50"],
    ["digits of a large number", formatDigits(123456, 3), "123,000"],
    ["digits with a fraction of four places", formatDigits(0.12345, 4), "0.1235"],
    ["negative digits", thin(formatDigits(-3.14159, 3)), "-3.14"],
    ["millions", thin(formatSi(270_800_000)), "271 M"],
    ["just under a thousand million", thin(formatSi(999_600_000)), "1.00 G"],
    ["small counts", formatSi(256), "256"],
    ["bytes", thin(formatBytes(22_400_000)), "22.4 MB"],
    ["few bytes", thin(formatBytes(999)), "999 B"],
    ["gamma", formatGamma(0.1 + 0.2), "0.3"],
    ["percent by its error", thin(formatPercent(0.9761, 0.0043)), "97.6 %"],
    ["percent with a coarse error", thin(formatPercent(0.9761, 0.043)), "98 %"],
    ["percent with error", thin(formatPercentError(0.9761, 0.0043)), "97.6 % ± 0.4"],
    ["an error that starts with 1", thin(formatPercentError(0.5203, 0.0141)), "52.0 % ± 1.4"],
    ["no error", thin(formatPercentError(1, 0)), "100.0 %"],
    ["points", thin(formatPoints(-0.0102, 0.0034)), "-1.0 ± 0.3 points"],
    ["a number with its error", thin(formatUncertain(14.93, 1.24)), "14.9 ± 1.2"],
    ["a number with a coarse error", thin(formatUncertain(-147.3, 22)), "-147 ± 22"],
    ["a number with a tiny error", thin(formatUncertain(0.00123456, 0.0000321)), "0.00123 ± 0.00003"],
    ["a number without error", formatUncertain(5.25, 0), "5.25"],
    ["a share", formatShare(0.4567), "0.46"],
    ["a small share", formatShare(0.0816), "0.082"],
    ["a share near one", formatShare(0.998), "1.00"],
    ["a reduction", thin(formatChange(0.46)), "-54 %"],
    ["a large reduction", thin(formatChange(0.0213)), "-97.9 %"],
    ["growth", thin(formatChange(1.031)), "+3.1 %"],
    ["no change", thin(formatChange(1)), "0 %"],
    ["short times", thin(formatSeconds(0.42)), "0.42 s"],
    ["minutes", thin(formatSeconds(192.3)), "3 min 12 s"],
    ["hours", thin(formatSeconds(3840)), "1 h 04 min"],
  ];
  for (const [what, found, wanted] of cases) {
    it(`${what}: ${wanted}`, () => {
      expect(found).to.equal(wanted);
    });
  }

  it("takes decimals from the first digit of the error", () => {
    expect([0.4, 0.14, 3, 14, 0.004].map((error) => decimalsFor(error))).to.deep.equal([1, 2, 0, 0, 3]);
    expect(decimalsFor(undefined)).to.equal(1);
  });
});
