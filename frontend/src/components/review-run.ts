// Carrying out a deed: its steps one after the other, each with a state the person sees. What is done stays done when a later step fails.
import type { Stage } from '@/lib/chain/load';

export interface StepReport {
  /** Of a call to the chain. */
  stage: (stage: Stage) => void;
  /** Of work that takes long: how much of how much, in words ("12 of 40 MiB"). */
  progress: (share: number, words: string) => void;
  signal: AbortSignal;
}

export interface DeedStep {
  /** What happens, as an act: "Register the dataset on the chain". */
  name: string;
  /** Asks for a signature by the person's key. */
  signed?: boolean;
  /** `results`: what the steps before gave. Must be safe to repeat: it is, when it fails half-way. */
  run: (report: StepReport, results: readonly unknown[]) => Promise<unknown>;
}

export interface StepState {
  state: 'waits' | 'runs' | 'done' | 'failed';
  stage: Stage | null;
  progress: { share: number; words: string } | null;
  started_ms: number | null;
  error: unknown;
}

export const untouched = (): StepState => ({ state: 'waits', stage: null, progress: null, started_ms: null, error: null });

/** Runs what is not done yet. Resolves true when all is done, false when a step failed or was stopped. */
export async function runSteps(
  steps: readonly DeedStep[],
  states: readonly StepState[],
  results: unknown[],
  change: (index: number, patch: Partial<StepState>) => void,
  signal: AbortSignal,
): Promise<boolean> {
  for (const [index, step] of steps.entries()) {
    if (states[index]?.state === 'done') continue;
    change(index, { ...untouched(), state: 'runs', started_ms: Date.now() });
    const report: StepReport = {
      stage: (stage) => change(index, { stage }),
      progress: (share, words) => change(index, { progress: { share, words } }),
      signal,
    };
    try {
      signal.throwIfAborted();
      results[index] = await step.run(report, results);
      change(index, { state: 'done' });
    } catch (error) {
      change(index, { state: 'failed', error: signal.aborted ? new Error('Stopped. What was done before stays; you can go on where you left.') : error });
      return false;
    }
  }
  return true;
}
