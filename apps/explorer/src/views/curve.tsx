/** @file The curve of an ascent, along which one can go back. */

interface Props {
  /** The objective before each step. */
  readonly losses: readonly (number | null)[];
  readonly steps: number;
  /** The step that is looked at; the last one unless given. */
  readonly step: number | undefined;
  /** Steps of which there is a picture. */
  readonly way: readonly number[];
  /** Whether it is still rising. */
  readonly live: boolean;
  readonly onStep: (step: number | undefined) => void;
}

const WIDTH = 320;
const HEIGHT = 56;

export function Curve({ losses, steps, step, way, live, onStep }: Props) {
  const points = losses.flatMap((loss, i) => (loss === null ? [] : [[i + 1, loss] as const]));
  const values = points.map(([, loss]) => loss);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (at: number): number => (WIDTH * (at - 1)) / Math.max(1, steps - 1);
  const y = (loss: number): number => HEIGHT - 3 - ((HEIGHT - 6) * (loss - low)) / (high - low || 1);
  const path = points
    .map(([at, loss], i) => `${i === 0 ? 'M' : 'L'}${x(at).toFixed(1)} ${y(loss).toFixed(1)}`)
    .join('');
  const now = step ?? steps;
  return (
    <div class="curve">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        {points.length > 1 && <path d={path} />}
        {!live && step !== undefined && <line x1={x(now)} x2={x(now)} y1="0" y2={HEIGHT} />}
      </svg>
      {way.length > 0 && !live && (
        <input
          type="range"
          min={way[0]}
          max={steps}
          value={now}
          aria-label="Step"
          aria-valuetext={`Step ${now} of ${steps}`}
          onInput={(e) => onStep(Number(e.currentTarget.value))}
        />
      )}
    </div>
  );
}
