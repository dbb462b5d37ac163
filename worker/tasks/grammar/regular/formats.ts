/** The formats of strings that are enforced, as patterns: those that OpenAI documents, and `uri`. */

const YEAR = '\\d{4}'
const LEAP_YEAR = '(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)'
const DATE =
  `(?:${YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)` +
  `|02-(?:0[1-9]|1\\d|2[0-8]))|${LEAP_YEAR}-02-29)`
const HOUR_MINUTE = '(?:[01]\\d|2[0-3]):[0-5]\\d'
const TIME = `${HOUR_MINUTE}:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-]${HOUR_MINUTE})`

const NUMBER = '\\d{1,9}'
const DAYS = `(?:${NUMBER}Y(?:${NUMBER}M(?:${NUMBER}D)?)?|${NUMBER}M(?:${NUMBER}D)?|${NUMBER}D)`
const HOURS = `T(?:${NUMBER}H(?:${NUMBER}M(?:${NUMBER}S)?)?|${NUMBER}M(?:${NUMBER}S)?|${NUMBER}S)`

const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?'
/** As long as may be: only a host name by itself is held to 63 characters a label. */
const DOMAIN_LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?'
const ATOM = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+"

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const GROUP = '[0-9a-fA-F]{1,4}'

/** Eight groups, or fewer with one `::` in the place of those that are missing. */
function ipv6(): string {
  const full = `${GROUP}(?::${GROUP}){7}`
  const short = Array.from({ length: 7 }, (_, before) => {
    const head = before === 0 ? '' : `${GROUP}(?::${GROUP}){${before - 1}}`
    const after = 6 - before
    return after === 0 ? `${head}::(?:${GROUP})?` : `${head}::(?:${GROUP}(?::${GROUP}){0,${after}})?`
  })
  return [full, ...short, `${GROUP}(?::${GROUP}){6}::`].join('|')
}

const HEX = '[0-9a-fA-F]'

const PCHAR = `(?:[a-zA-Z0-9._~!$&'()*+,;=:@-]|%${HEX}{2})`
/** `//host:port/path`, or a path alone (`mailto:`, `urn:`). */
const HIER = `//(?:${DOMAIN_LABEL}\\.)*${DOMAIN_LABEL}(?::\\d{1,5})?(?:/${PCHAR}*)*|${PCHAR}+(?:/${PCHAR}*)*`

/** Patterns (of the whole string) by name of the format. */
export const FORMATS: Readonly<Record<string, string>> = {
  'date-time': `${DATE}T${TIME}`,
  date: DATE,
  time: TIME,
  duration: `P(?:${DAYS}(?:${HOURS})?|${HOURS}|${NUMBER}W)`,
  email: `${ATOM}(?:\\.${ATOM})*@(?:${DOMAIN_LABEL}\\.)+${DOMAIN_LABEL}`,
  hostname: `${LABEL}(?:\\.${LABEL})*`,
  ipv4: `${OCTET}(?:\\.${OCTET}){3}`,
  ipv6: ipv6(),
  uuid: `${HEX}{8}-${HEX}{4}-${HEX}{4}-${HEX}{4}-${HEX}{12}`,
  uri: `[a-zA-Z][a-zA-Z0-9+.-]*:(?:${HIER})(?:\\?(?:${PCHAR}|[/?])*)?(?:#(?:${PCHAR}|[/?])*)?`,
}
