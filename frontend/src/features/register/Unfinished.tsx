// A registration that was begun in this browser and not finished: choose the same file, and it goes on where it stopped.
import { Alert, Button, FileButton, Group, Stack, Text } from '@mantine/core';
import { formatBytes, formatRelative } from '@/lib/format';
import { fromDate, nowNs } from '@/lib/units';
import { forgetDraft, type RegistrationDraft } from './draft';

export interface UnfinishedProps {
  draft: RegistrationDraft;
  onGo: (file: File) => void;
  onForgotten: () => void;
}

export function Unfinished({ draft, onGo, onForgotten }: UnfinishedProps) {
  const forget = async () => {
    await forgetDraft(draft);
    onForgotten();
  };
  return (
    <Alert variant="light" color="amber" title={`"${draft.title}" is not finished`} mb="md">
      <Stack gap="sm">
        <Text size="sm">
          Begun {formatRelative(fromDate(new Date(draft.started_at_ms)), nowNs())} with {draft.file.name} ({formatBytes(draft.file.size)}).{' '}
          {draft.dataset_id === null ? 'It is not registered on the chain yet.' : `It is registered, as dataset ${draft.dataset_id}; the rest is missing.`} Choose the same file to go on: what is uploaded is
          not sent again.
        </Text>
        <Group>
          <FileButton accept=".csv,text/csv" onChange={(file) => file && onGo(file)}>
            {(props) => (
              <Button size="xs" {...props}>
                Choose {draft.file.name} and go on
              </Button>
            )}
          </FileButton>
          <Button size="xs" variant="subtle" color="red" onClick={() => void forget()}>
            Forget it
          </Button>
        </Group>
      </Stack>
    </Alert>
  );
}
