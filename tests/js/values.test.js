// @ts-check
// What controls show of values, and what they read in what is typed.

import assert from "node:assert/strict";
import { test } from "node:test";

import { clip, numberIn, numberWords, numbersIn, placesOf } from "../../cnnwidgets/base/places.js";
import { exactly, indexOf, matching, optionsWith, same, textOf, wordsOf } from "../../cnnwidgets/base/values.js";

const OPTIONS = [["none", null], ["label", "y"], ["a pair", ["conv1", 3]]];

test("values are compared by what they hold", () => {
  assert.ok(same([1, { a: 2 }], [1, { a: 2 }]));
  assert.ok(!same([1, 2], [2, 1]));
  assert.equal(indexOf(OPTIONS, ["conv1", 3]), 2);
  assert.equal(textOf(OPTIONS, null), "none");
  assert.equal(textOf(OPTIONS, -4), "−4");
});

test("what is among no options is added once", () => {
  assert.deepEqual(optionsWith(OPTIONS, ["y", "z", null]).slice(3), [["z", "z"]]);
  assert.equal(wordsOf([1, -2]), "1, −2");
});

test("a search wants all words, and puts first what begins with the first", () => {
  const found = matching([["tiger cat", 1], ["Cat, Persian", 2], ["dog", 3]], "cat");
  assert.deepEqual(found.map(([, value]) => value), [2, 1]);
  assert.deepEqual(matching([["tiger cat", 1]], "cat tiger").length, 1);
});

test("a linear slider stands on exact decimals, and its end is the end", () => {
  const { count, at, near } = placesOf({ min: 0, max: 1, step: 0.3 });
  assert.deepEqual(Array.from({ length: count + 1 }, (_, k) => at(k)), [0, 0.3, 0.6, 0.9, 1]);
  assert.equal(near(0.61), 2);
});

test("a logarithmic slider ascends between its ends by few percent", () => {
  const { count, at, near } = placesOf({ min: 1e-5, max: 10, log: true });
  assert.equal(at(0), 1e-5);
  assert.equal(at(count), 10);
  for (let k = 1; k <= count; k++) {
    assert.ok(at(k) > at(k - 1) && at(k) / at(k - 1) <= 1.1 + 1e-9);
    assert.equal(near(at(k)), k);
  }
});

test("numbers are read with either minus and a point or a comma", () => {
  assert.equal(numberIn(" −1,5 "), -1.5);
  assert.equal(numberIn("1e-3"), 0.001);
  assert.equal(numberIn(""), null);
  assert.equal(numberIn("seven"), null);
  assert.deepEqual(numbersIn("3 × 4"), [3, 4]);
  assert.equal(numbersIn("3, x"), null);
});

test("ends may be open", () => {
  assert.equal(clip(5, null, 3), 3);
  assert.equal(clip(-5, undefined, 3), -5);
  assert.equal(numberWords({ min: 1, max: 20, whole: true }, exactly), "a whole number from 1 to 20");
  assert.equal(numberWords({ min: null, max: 20, whole: false }, exactly), "a number up to 20");
});
