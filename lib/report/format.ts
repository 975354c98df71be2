/**
 * How numbers are written: digits by uncertainty, narrow spaces before units, a real minus sign. Each function is
 * self-contained (nothing from module scope but its neighbours), because the page runs the same functions: see client/.
 */

/** A number with a thousands separator: 1,250. */
export function formatCount(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `value` with `digits` significant digits; trailing zeros stay, they are information. Tiny ones alone in exponential form. */
export function formatDigits(value: number, digits: number): string {
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return "–";
  const rounded = Number(value.toPrecision(digits));
  const magnitude = Math.floor(Math.log10(Math.abs(rounded)));
  if (magnitude < -9) return String(rounded).replaceAll("-", "\u2212");
  const text = Math.abs(rounded).toFixed(Math.max(0, digits - 1 - magnitude));
  return (rounded < 0 ? "\u2212" : "") + text.replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ",");
}

/** 270.8 million as "271 M". Three significant digits. */
export function formatSi(value: number): string {
  const steps: [number, string][] = [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ];
  for (const [size, letter] of steps) {
    if (Math.abs(value) >= size * 0.9995) return `${formatDigits(value / size, 3)}\u202f${letter}`;
  }
  return Number.isSafeInteger(value) ? String(value) : formatDigits(value, 3);
}

/** Bytes in decimal units: "22.4 MB". */
export function formatBytes(value: number): string {
  return value < 1000 ? `${formatCount(value)}\u202fB` : `${formatSi(value)}B`;
}

/** Gamma as people type it: 0, 0.001, 0.25. */
export function formatGamma(gamma: number): string {
  return gamma === 0 ? "0" : String(Number(gamma.toPrecision(3)));
}

/** Milliseconds, three significant digits. */
export function formatMs(ms: number): string {
  return `${formatDigits(ms, 3)}\u202fms`;
}

/** Seconds as people read them: "0.42 s", "38 s", "3 min 12 s", "1 h 04 min". */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${formatDigits(seconds, 2)}\u202fs`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}\u202fs`;
  if (whole < 3600) return `${Math.floor(whole / 60)}\u202fmin ${whole % 60}\u202fs`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)}\u202fh ${String(minutes % 60).padStart(2, "0")}\u202fmin`;
}

/**
 * Decimals that an uncertainty allows: one significant digit of the error, two where it starts with a 1.
 *
 * @param error standard error, in the unit the number is printed in; 0 or unknown gives `fallback`
 */
export function decimalsFor(error: number | undefined, fallback = 1): number {
  if (error === undefined || !(error > 0) || !Number.isFinite(error)) return fallback;
  const magnitude = Math.floor(Math.log10(error));
  const leading = error / 10 ** magnitude;
  return Math.min(4, Math.max(0, leading < 1.95 ? 1 - magnitude : -magnitude));
}

/** A fraction as a percentage, as many decimals as its standard error allows: "97.6 %". */
export function formatPercent(fraction: number, error?: number): string {
  if (!Number.isFinite(fraction)) return "–";
  const text = (100 * fraction).toFixed(decimalsFor(error === undefined ? undefined : 100 * error));
  return `${text.replace("-", "\u2212")}\u202f%`;
}

/** A share of so many as a percentage, no more decimals than that many can carry: "13 %" of 38, "97.6 %" of 1,250. */
export function formatShareOf(fraction: number, n: number): string {
  const spread = Math.sqrt(Math.max(fraction * (1 - fraction), 1 / Math.max(1, n)) / Math.max(1, n));
  return formatPercent(fraction, spread);
}

/** "97.6 % ± 0.4": a fraction with its standard error, both in percent. */
export function formatPercentError(fraction: number, error: number): string {
  if (!(error > 0)) return formatPercent(fraction);
  return `${formatPercent(fraction, error)}\u00a0±\u00a0${(100 * error).toFixed(decimalsFor(100 * error))}`;
}

/** "97.6 % (96.5 to 98.4)": a fraction with its range, in percent. */
export function formatRange(fraction: number, { low, high }: { low: number; high: number }): string {
  const decimals = decimalsFor((100 * (high - low)) / 4);
  const text = (value: number): string => (100 * value).toFixed(decimals);
  return `${text(fraction)}\u202f% (${text(low)} to ${text(high)})`;
}

/** A share of something, in words' company: "0.46 of the MACs". Two significant digits. */
export function formatShare(share: number): string {
  return share >= 0.995 && share < 10 ? share.toFixed(2) : formatDigits(share, 2);
}

/** A signed change against a reference: "−54 %", "+3 %". `share` is the new value over the old one. */
export function formatChange(share: number): string {
  const change = 100 * (share - 1);
  const size = Math.abs(change);
  const text = size.toFixed(size < 9.95 || (size > 95 && size < 100) ? 1 : 0);
  if (Number(text) === 0) return `0\u202f%`;
  return `${change < 0 ? "\u2212" : "+"}${text}\u202f%`;
}

/** A signed number of percentage points, with its standard error where that is known: "−1.0 ± 0.4 points". */
export function formatPoints(difference: number, error?: number): string {
  if (difference === 0 && !(error !== undefined && error > 0)) return "0.0 points";
  const decimals = error === undefined ? 1 : decimalsFor(100 * error);
  const sign = difference < 0 ? "\u2212" : difference > 0 ? "+" : "";
  const size = Math.abs(100 * difference).toFixed(decimals);
  const uncertain =
    error === undefined || !(error > 0) ? "" : `\u00a0±\u00a0${(100 * error).toFixed(decimals)}`;
  return `${sign}${size}${uncertain} points`;
}

/** "14.9 ± 1.2": a number with its error, as many decimals as that allows; three digits where there is none. */
export function formatUncertain(value: number, error: number | undefined): string {
  if (error === undefined || !(error > 0) || !Number.isFinite(error)) return formatDigits(value, 3);
  const magnitude = Math.floor(Math.log10(error));
  const decimals = Math.min(15, Math.max(0, error / 10 ** magnitude < 1.95 ? 1 - magnitude : -magnitude));
  return `${value.toFixed(decimals).replace("-", "\u2212")}\u00a0±\u00a0${error.toFixed(decimals)}`;
}

/** The same for a terminal and other plain text: ordinary spaces and a hyphen for minus, which every font and program knows. */
export function plainText(text: string): string {
  return text.replace(/[\u202f\u00a0]/g, " ").replaceAll("\u2212", "-");
}
