//! The countries of ISO 3166-1: an address in a place that does not exist ships nowhere.

/// All officially assigned alpha-2 codes, sorted. They change about once in ten years.
const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR \
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ \
    EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW \
    GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY \
    KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV \
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY \
    QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG \
    TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM \
    ZW";

/// Two letters and the space after them.
const STRIDE: usize = 3;

/// Whether the text is an alpha-2 code in capital letters.
pub fn is_country(text: &str) -> bool {
    let code = |index: usize| &COUNTRIES[index * STRIDE..index * STRIDE + 2];
    let (mut low, mut high) = (0, COUNTRIES.len().div_ceil(STRIDE));
    while low < high {
        let middle = (low + high) / 2;
        match code(middle).cmp(text) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_and_nothing_else() {
        let codes: Vec<&str> = COUNTRIES.split(' ').collect();
        assert_eq!(codes.len(), 249);
        assert!(codes.is_sorted());
        let mut found = Vec::new();
        for first in 'A'..='Z' {
            for second in 'A'..='Z' {
                let text = format!("{first}{second}");
                if is_country(&text) {
                    found.push(text);
                }
            }
        }
        assert_eq!(found, codes);
        for text in ["", "D", "de", "DEU", "AD AE", "E ", "  ", "ß", "ZZ"] {
            assert!(!is_country(text), "{text}");
        }
    }
}
