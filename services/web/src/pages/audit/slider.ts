/** The way of the time slider: logarithmic, so that minutes and months are on one line. Pure functions. */

const SECOND = 1000;
const DAY = 86_400 * SECOND;

const NEAREST = 5 * SECOND;
const FARTHEST = 90 * DAY;

/** How many places the slider has; 0 is the nearest to the present. */
export const PLACES = 400;

/** How long ago a place is, in ms. */
export function agoOf(place: number): number {
  return Math.round(NEAREST * (FARTHEST / NEAREST) ** (place / PLACES));
}

/** The place of what was that long ago; what is beyond either end is at it. */
export function placeOf(ago: number): number {
  const within = Math.min(Math.max(ago, NEAREST), FARTHEST);
  return Math.round((PLACES * Math.log(within / NEAREST)) / Math.log(FARTHEST / NEAREST));
}
