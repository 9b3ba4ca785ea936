import { expect, test } from "vitest";
import { agoOf, placeOf, PLACES } from "./slider";

test("every place of the slider leads back to itself", () => {
  for (let place = 0; place <= PLACES; place++) expect(placeOf(agoOf(place))).toBe(place);
});

test("minutes, hours and days are far apart", () => {
  const places = [60_000, 3_600_000, 86_400_000, 604_800_000].map(placeOf);
  places.slice(1).forEach((place, index) => expect(place - places[index]!).toBeGreaterThan(PLACES / 12));
  expect([placeOf(0), placeOf(1e15)]).toEqual([0, PLACES]);
});
