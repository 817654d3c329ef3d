//! `barrow cluster raise-form`: ends an upgrade. From then on rows are written in the newest form
//! that all nodes read, and builds that do not read it do not become nodes any more.

use barrow_actors::runtime::newest_form;
use barrow_cluster::View;
use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::output;

use super::Table;

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    form: u8,
    former: u8,
}

pub async fn run(table: &Table, is_json: bool) -> Result<(), Failure> {
    let report = raise(table).await?;
    if is_json {
        return output::json(&report);
    }
    let Report { form, former } = report;
    output::line(&match former == form {
        true => format!("the shop is in form {form} already, the newest that its nodes read"),
        false => format!("the shop was in form {former}; rows are written in form {form} from now"),
    })
}

pub(super) async fn raise(table: &Table) -> Result<Report, Failure> {
    let former = table.view().await?.form;
    let view = table.amend(|view| raised(view, newest_form())).await?;
    Ok(Report { form: view.form, former })
}

/// The view in its next form, unless it is in the newest that the members read. This build has to
/// read it too: the row of the view is in that form itself.
pub(super) fn raised(view: &View, reads: u8) -> Result<Option<View>, Failure> {
    let Some(form) = view.form_to_come() else {
        let behind = |newest: u8| {
            let behind = view.members.iter().filter(move |member| member.reads < newest);
            behind.map(|member| member.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let newest = view.members.iter().map(|member| member.reads).max();
        return match newest.filter(|newest| *newest > view.form) {
            None => Ok(None),
            Some(newest) => {
                let what = format!("form {newest} is not read by all nodes: {}", behind(newest));
                Err(Failure::refused(what).hint("deploy the later build to these first"))
            }
        };
    };
    if form > reads {
        let what = format!("the nodes read form {form}; this build reads up to {reads}");
        return Err(Failure::refused(what).hint("run this command of the build that they run"));
    }
    Ok(Some(View { form, ..view.clone() }))
}
