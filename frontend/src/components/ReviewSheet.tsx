// The sheet before every signature: what will change, who sees it, what it costs, whether it can be taken back; one button, named for
// the deed. After the button it shows each step, and of each call to the chain the three states: signed, accepted, certified.
import { Alert, Button, Group, Modal, Progress, Stack, Text } from '@mantine/core';
import { createContext, useCallback, useContext, useMemo, useRef, useState, type ReactNode } from 'react';
import type { Stage } from '@/lib/chain/load';
import { useNow } from './facts';
import css from './review.module.css';
import { runSteps, untouched, type DeedStep, type StepState } from './review-run';
import { errorText } from './states';

export type { DeedStep, StepReport } from './review-run';

export interface Deed {
  title: string;
  /** The button: the deed itself, never "OK". */
  button: string;
  changes: ReactNode[];
  seenBy: ReactNode;
  cost: ReactNode;
  undo: ReactNode;
  /** It takes something away. */
  loss?: boolean;
  steps: DeedStep[];
  /** After the last step, before the sheet says that it is done. */
  onDone?: (results: readonly unknown[]) => void | Promise<void>;
  /** What the sheet says in the end; without it, the sheet closes. */
  done?: (results: readonly unknown[]) => ReactNode;
}

type Review = (deed: Deed) => Promise<boolean>;
const ReviewContext = createContext<Review | null>(null);

/** Opens the sheet. The promise is true when the deed was done, false when the person turned away. */
export function useReview(): Review {
  const review = useContext(ReviewContext);
  if (!review) throw new TypeError('useReview needs a ReviewProvider above it');
  return review;
}

export function ReviewProvider({ children }: { children: ReactNode }) {
  const [open, setOpen] = useState<{ deed: Deed; answer: (done: boolean) => void; key: number } | null>(null);
  const count = useRef(0);
  const review = useCallback<Review>((deed) => {
    count.current += 1;
    const key = count.current;
    return new Promise<boolean>((answer) => setOpen({ deed, answer, key }));
  }, []);
  const close = (done: boolean) => {
    open?.answer(done);
    setOpen(null);
  };
  return (
    <ReviewContext.Provider value={review}>
      {children}
      {open && <Sheet key={open.key} deed={open.deed} onClose={close} />}
    </ReviewContext.Provider>
  );
}

type Phase = 'reviews' | 'runs' | 'failed' | 'done';

function Sheet({ deed, onClose }: { deed: Deed; onClose: (done: boolean) => void }) {
  const [phase, setPhase] = useState<Phase>('reviews');
  const [states, setStates] = useState<StepState[]>(() => deed.steps.map(untouched));
  const results = useRef<unknown[]>([]);
  const [ending, setEnding] = useState<ReactNode>(null);
  const abort = useRef<AbortController | null>(null);

  async function run() {
    abort.current = new AbortController();
    setPhase('runs');
    const change = (index: number, patch: Partial<StepState>) =>
      setStates((before) => before.map((state, i) => (i === index ? { ...state, ...patch } : state)));
    const all = await runSteps(deed.steps, states, results.current, change, abort.current.signal);
    if (!all) return setPhase('failed');
    await deed.onDone?.(results.current);
    if (!deed.done) return onClose(true);
    setEnding(deed.done(results.current));
    return setPhase('done');
  }

  const busy = phase === 'runs';
  return (
    <Modal opened onClose={() => !busy && onClose(phase === 'done')} title={deed.title} size="lg" closeOnClickOutside={phase === 'reviews'} closeOnEscape={!busy} withCloseButton={!busy} closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack gap="lg">
        {phase === 'reviews' ? <Terms deed={deed} /> : <Steps steps={deed.steps} states={states} />}
        {phase === 'failed' && <WhatFailed states={states} />}
        {phase === 'done' && <div role="status">{ending}</div>}
        <Group justify="flex-end">
          {phase === 'reviews' && (
            <>
              <Button variant="default" onClick={() => onClose(false)}>
                Not now
              </Button>
              <Button color={deed.loss ? 'red' : 'teal'} onClick={() => void run()} data-autofocus>
                {deed.button}
              </Button>
            </>
          )}
          {busy && <StopButton states={states} onStop={() => abort.current?.abort()} />}
          {phase === 'failed' && (
            <>
              <Button variant="default" onClick={() => onClose(false)}>
                Close
              </Button>
              <Button onClick={() => void run()}>Try again</Button>
            </>
          )}
          {phase === 'done' && <Button onClick={() => onClose(true)}>Close</Button>}
        </Group>
      </Stack>
    </Modal>
  );
}

function Terms({ deed }: { deed: Deed }) {
  const signatures = deed.steps.filter((step) => step.signed).length;
  return (
    <dl className={css.terms}>
      <dt>What changes</dt>
      <dd>
        <ul className={css.list}>
          {deed.changes.map((change, i) => (
            <li key={i}>{change}</li>
          ))}
        </ul>
      </dd>
      <dt>Who sees it</dt>
      <dd>{deed.seenBy}</dd>
      <dt>What it costs</dt>
      <dd>{deed.cost}</dd>
      <dt>Taking it back</dt>
      <dd>{deed.undo}</dd>
      <dt>Your key signs</dt>
      <dd>{signatures === 0 ? 'nothing on the chain' : signatures === 1 ? 'one message' : `${signatures} messages`}</dd>
    </dl>
  );
}

function Steps({ steps, states }: { steps: readonly DeedStep[]; states: readonly StepState[] }) {
  return (
    <ol className={css.steps} aria-live="polite">
      {steps.map((step, i) => {
        const state = states[i] ?? untouched();
        return (
          <li key={step.name} className={css.step} data-state={state.state}>
            <span className={css.mark} aria-hidden>
              {state.state === 'done' ? '✓' : state.state === 'failed' ? '!' : i + 1}
            </span>
            <div>
              <Text fw={state.state === 'runs' ? 600 : 400}>{step.name}</Text>
              {step.signed && state.state !== 'waits' && <Stages reached={state.stage} />}
              {state.progress && state.state === 'runs' && (
                <>
                  <Progress value={state.progress.share * 100} size="sm" mt={4} aria-label={step.name} />
                  <Text size="xs" c="dimmed">
                    {state.progress.words}
                  </Text>
                </>
              )}
              {state.state === 'runs' && <WaitsFor step={step} state={state} />}
            </div>
          </li>
        );
      })}
    </ol>
  );
}

const STAGES: readonly Stage[] = ['signed', 'accepted', 'certified'];

function Stages({ reached }: { reached: Stage | null }) {
  const at = reached ? STAGES.indexOf(reached) : -1;
  return (
    <div className={css.stages}>
      {STAGES.map((stage, i) => (
        <span key={stage} data-reached={i <= at}>
          {i <= at ? '●' : '○'} {stage}
        </span>
      ))}
    </div>
  );
}

/** After two seconds of waiting: for what. */
function WaitsFor({ step, state }: { step: DeedStep; state: StepState }) {
  const now = useNow(500);
  const waited = state.started_ms === null ? 0 : Number(now / 1_000_000n) - state.started_ms;
  if (waited < 2_000 || state.progress) return null;
  if (!step.signed) return <div className={css.waits}>Waiting for the marketplace to answer.</div>;
  if (state.stage === null) return <div className={css.waits}>Waiting for your key to sign.</div>;
  if (state.stage === 'signed') return <div className={css.waits}>Signed and sent. Waiting for the network to accept it and to certify the outcome.</div>;
  return <div className={css.waits}>Accepted. Waiting for the certificate that proves the outcome.</div>;
}

/** Work can be stopped; a message that is signed cannot be called back. */
function StopButton({ states, onStop }: { states: readonly StepState[]; onStop: () => void }) {
  if (!states.some((state) => state.state === 'runs' && state.progress)) return null;
  return (
    <Button variant="default" onClick={onStop}>
      Stop
    </Button>
  );
}

function WhatFailed({ states }: { states: readonly StepState[] }) {
  const failed = states.findIndex((state) => state.state === 'failed');
  const title = useMemo(() => (failed > 0 ? `Step ${failed + 1} did not succeed; the steps before it are done and stay so` : 'It did not succeed; nothing was changed'), [failed]);
  return (
    <Alert color="red" variant="light" role="alert" title={title}>
      {errorText(states[failed]?.error)}
    </Alert>
  );
}
