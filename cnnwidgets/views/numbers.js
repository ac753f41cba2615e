// @ts-check
// How numbers are written wherever a person reads them, as `cnnwidgets/numbers.py` writes them.

const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/** A number with so many significant digits and a true minus sign; very large and very small ones as a power of ten. */
export function format(value, digits = 3) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  const text = value !== 0 && (power < -4 || power > 5)
    ? `${Number(mantissa)}×10${[...String(power)].map((digit) => RAISED[digit]).join("")}`
    : Number(Number(`${mantissa}e${power}`).toFixed(Math.max(0, digits - 1 - power))).toString();
  return text.replace("-", "−");
}

/** A share or a probability, from 0 to 1, as a percentage; only 1 itself is 100%, and only 0 itself 0%. */
export function percent(share) {
  if (Number.isNaN(share)) return "NaN";
  if (share === 0 || share === 1) return `${100 * share}%`;
  if (Math.abs(share) < 0.0001) return "< 0.01%";
  if (share >= 0.9995 && share < 1) return "> 99.9%";
  return `${(100 * share).toFixed(Math.abs(share) < 0.001 ? 2 : 1)}%`.replace("-", "−");
}
