// Asking a model for an answer, with a payment signed by the person: from this page straight to the canister, verified here.
import { Button, Group, NumberInput, Select, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useReview } from '@/components/ReviewSheet';
import { Failed, Loading } from '@/components/states';
import { jobReleaseQuery } from '@/lib/api/jobs';
import { useNetwork } from '@/lib/api/network';
import type { JobRelease, Model } from '@/lib/api/types';
import { tensorOf, type Tensor } from '@/lib/tensors';
import { askDeed, type PaidAnswer } from './ask';
import type { ModelCard } from './card';
import { Answer } from './Answer';
import { Pixels } from './Pixels';
import css from './playground.module.css';
import { Snippet } from './Snippet';

export function Playground({ model, card }: { model: Model; card: ModelCard }) {
  const release = useQuery(jobReleaseQuery(model.job_id));
  if (release.data) return <Ask model={model} card={card} release={release.data} />;
  if (release.error) return <Failed error={release.error} what="release" onRetry={() => void release.refetch()} />;
  return <Loading what="example inputs" />;
}

interface Example {
  inputs: Tensor[];
  /** What ONNX Runtime answered: part of the release, checked on the chain. */
  expected: Tensor[];
}

const examplesOf = (release: JobRelease): Example[] => release.manifest.equality.map((vector) => ({ inputs: vector.inputs.map(tensorOf), expected: vector.outputs.map(tensorOf) }));

function Ask({ model, card, release }: { model: Model; card: ModelCard; release: JobRelease }) {
  const [examples] = useState(() => examplesOf(release));
  const [inputs, setInputs] = useState<Tensor[]>(() => examples[0]?.inputs ?? []);
  const [chosen, setChosen] = useState<string | null>(examples.length ? '0' : null);
  const [answer, setAnswer] = useState<PaidAnswer | null>(null);
  const review = useReview();
  const queries = useQueryClient();
  const network = useNetwork();

  const pick = (value: string | null) => {
    const example = examples[Number(value)];
    if (!example) return;
    setChosen(value);
    setInputs(example.inputs);
  };
  const change = (index: number, values: number[]) => {
    setChosen(null);
    setInputs((before) => before.map((tensor, i) => (i === index ? { ...tensor, values } : tensor)));
  };
  async function ask() {
    if (!network.data) return;
    const holder: { answer: PaidAnswer | null } = { answer: null };
    await review(askDeed(queries, network.data, model, inputs, holder));
    if (holder.answer) setAnswer(holder.answer);
  }

  return (
    <Stack>
      <Group align="flex-end">
        <Select label="Example" placeholder="your own input" data={examples.map((_, i) => ({ value: String(i), label: `Held-out row ${i + 1}` }))} value={chosen} onChange={pick} w={220} />
        <Text size="sm" c="dimmed" maw={420}>
          These inputs are part of the release: on them the chain has checked its answers against ONNX Runtime. Change any value.
        </Text>
      </Group>
      {inputs.map((tensor, i) => (
        <TensorInput key={tensor.name} tensor={tensor} names={card.features} onChange={(values) => change(i, values)} />
      ))}
      <Group>
        <Button onClick={() => void ask()} disabled={!network.data || inputs.length === 0}>
          Ask this model
        </Button>
      </Group>
      <Snippet model={model} />
      {answer && <Answer answer={answer} classes={card.classes} expected={chosen === null ? null : (examples[Number(chosen)]?.expected ?? null)} model={model} />}
    </Stack>
  );
}

function TensorInput({ tensor, names, onChange }: { tensor: Tensor; names: string[]; onChange: (values: number[]) => void }) {
  const image = tensor.shape.length === 4 && tensor.shape[1] === 1;
  if (image) return <Pixels tensor={tensor} onChange={onChange} />;
  const set = (index: number, value: number) => onChange(tensor.values.map((before, i) => (i === index ? value : before)));
  return (
    <fieldset className={css.fields} aria-label={`Input ${tensor.name}`}>
      {tensor.values.map((value, i) => (
        <NumberInput key={i} size="xs" label={names[i] ?? `${tensor.name} ${i + 1}`} value={Number(value.toPrecision(7))} onChange={(next) => typeof next === 'number' && set(i, next)} hideControls />
      ))}
    </fieldset>
  );
}
